"""edXML packets (QCVN 102:2016/BTTTT): bytes into words and words into bytes. lxml lives only here.

reading, at a node's door         reader.py    the door: a header or a whole packet, in memory or piece by piece
  the two ways                    tree.py      the quick one          collect.py   the thorough one, over blocks.py (the parser)
  the table both go by            grammar.py   every element, made of shape.py;    plan.py   the cut of it that a header needs
  what was read                   words.py     its meaning            dialect.py   how it is spelled
  its parts                       content.py   base64                 opaque.py    elements kept as octets
  its bounds                      limits.py    sizes                  names.py     made-up names kept out of the parser's memory
reading, for people               document.py  any dialect            extract.py   attachments as files, over unzip.py
writing                           write.py     any packet, of lines.py and signature.py;   attach.py   files as attachments
                                  letter.py    of what a clerk fills in                    compose.py  the plainest ones
judging                           rules/       what is wrong with a packet                 judging.py  all rules in one pass
"""
