"""Embedded: what every store that lives in this process shares, so that the simulator's and the real one cannot differ.

transactions.py  the contract of ports.Store        overlay.py        one transaction's view
group_commit.py  who waits for which commit         unsettled.py      what is written and not durable yet
fence.py         a store that has gone back reads only, and says why
"""
