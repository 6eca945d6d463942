"""The rooms a document passes through: decisions and transaction functions, no I/O.

A transaction function takes a `Tx` first, is synchronous, and may be run again. Everything that takes long (reading XML, opening
bodies, verifying signatures) has happened before it, in functions that take words and return words.
"""
