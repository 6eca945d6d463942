"""edXML packets (QCVN 102:2016/BTTTT): bytes into words and words into bytes. lxml lives only here.

The door first: reader.py (what a node reads of a packet, in two ways). Then grammar.py, made of what shape.py says (every element,
for reading and writing alike), plan.py (the cut of it that a header needs) and words.py (what was read means). tree.py and collect.py
are the two ways, blocks.py the parser under the streaming one, names.py what keeps made-up names out of its memory.

document.py reads a packet for people, whatever its dialect, and gives out its attachments; extract.py and unzip.py make files of
them. write.py, lines.py and attach.py write packets; letter.py makes them of what a clerk fills in, compose.py the plainest ones.
rules/ say what is wrong with a packet.
"""
