"""Document: what becomes of one document through all packets about it, on both sides.

dossier.py  its rows          life.py    one pure state function for author and recipient       acts.py   what a packet does to it
status.py   statuses          aliases.py old and new codes of one unit
"""
