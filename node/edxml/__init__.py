"""edXML packets (QCVN 102:2016/BTTTT): bytes into words and words into bytes. lxml lives only here.

What a node needs in order to carry a packet: reader.py first (the two ways of reading), then plan.py (what is taken) and words.py
(what it means); compose.py writes the plainest packets.

All that a packet says: document.py first, then grammar.py (every element, for reading and writing alike), collect.py, write.py;
extract.py and unzip.py for attachments, attach.py for new ones; rules/ for what is wrong with it. blocks.py is under both readers.
"""
