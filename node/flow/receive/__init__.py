"""Receive: from a peer's parcel to a signed receipt.

reception.py  the verbs: items of a push, offers, commits       uploads.py   bodies that come in pieces, and resume
verify.py     envelope, body and key: is it what it says        opening.py   decrypts and reads the header
speaker.py    may its origin say this of these units            older.py     what our directory does not know yet
accept.py     one transaction: packet, inbox, receipt           arrival.py   what a packet does to the document it is about
slices.py     the same for thousands of units, some at a time   firsts.py    what was decided first stays the answer
deciding.py   signs, writes and answers, a group together       asked.py     what is said of units that are ours no more
cautious.py   what this process has died of before is handled alone
"""
