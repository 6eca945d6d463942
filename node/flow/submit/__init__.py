"""Submit: from a packet's octets to the answer that it is durable.

intake.py      the verb: read, check, wait for company, store, answer      check.py       sender, recipients, limits
sealing.py     reads and encrypts at once                                  large.py       the same as a stream, into a file
batching.py    submissions that arrive together are stored together        duplicates.py  numbers that were used before
store.py       one transaction: packet, body, deliveries, outbox rows
"""
