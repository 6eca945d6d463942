"""Rows: the one map of every key and every stored record. A new table is added here and nowhere else.

keys.py          keys, big-endian, in one drawn map       webhook_keys.py   the webhooks' part of it
document_keys.py the documents' part of it
records.py       stored records, versioned apart from the wire              access.py   records read and written through a Tx
"""
