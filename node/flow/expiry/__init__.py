"""Expiry: what ends when its time has come. Deliveries fail for good by our own signed receipt, bodies that nobody needs are forgotten.

sweep.py   decisions, in order of time        sweeper.py   the loop
"""
