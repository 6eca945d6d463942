"""Expiry: what ends when its time has come. Deliveries fail for good by our own signed receipt, bodies that nobody needs are forgotten,
and when nobody needs to know of a packet any more, all of it is erased.

sweep.py      decisions, in order of time                sweeper.py   the loop
retention.py  who needs a packet, and until when         holds.py     legal holds
walk.py       rows that older versions left behind       departed.py  receipts for nodes that have left
dates.py      rows that a clock which erred has dated
"""
