"""Inbox: what waits for a unit of this node, until its software has acknowledged it.

inbox.py   entries, leases, acknowledgements        vxp_inbox.py   the VXP bridge's names for the same rows
"""
