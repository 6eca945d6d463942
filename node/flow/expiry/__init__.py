"""Expiry: what is due. Deliveries fail for good by our own signed receipt, bodies that nobody needs are forgotten.

sweep.py   decisions, in order of time        sweeper.py   the loop
"""
