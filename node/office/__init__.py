"""Office: what an office means: withdraw, update, replace, compose, find. By whatever door: command line, `node.client`, console.

letters.py   a form becomes a packet            packet_file.py  a packet in a file
sent.py      what was sent, as it is needed to change it       changes.py   withdraw, update, replace
naming.py    packets by a few digits or any of their names     proof.py     receipts as files
"""
