"""edXML packets (QCVN 102:2016/BTTTT): bytes into words and words into bytes. lxml lives only here.

Read reader.py first (the two ways of reading), then plan.py (what is taken) and words.py (what it means); compose.py writes.
"""
