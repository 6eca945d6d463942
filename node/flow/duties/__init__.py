"""Duties: statuses that the node itself owes in a unit's name: 01 on arrival, 15 for what was taken back unread.

duty.py   rows and decisions        duty_loop.py   the loop that writes and submits them
"""
