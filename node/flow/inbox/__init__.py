"""Inbox: what waits for a unit, leases, and acknowledgements; the VXP bridge's names for the same rows (vxp_inbox.py)."""
