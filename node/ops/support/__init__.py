"""The bundle that `truc support-bundle` gathers: enough to find out from afar what ails a node, and nothing that is nobody's business.

    gather.py    the parts, each made by itself: what cannot be read leaves a note in the manifest and does not stop the rest
    machine.py   facts of the machine and the store       logs.py   log lines, field by field
    redact.py    what must not leave: known secrets, keys, values that a mistaken setting may hold

All that goes in is chosen field by field (ids, codes, reasons, sizes, times); redaction is the second lock on the same door, because a
secret may stand where nobody expects it.
"""
