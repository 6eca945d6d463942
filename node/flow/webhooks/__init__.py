"""Webhooks: telling an office's system that something has happened. Notices name no content; the system comes and fetches.

notices.py   rows and decisions        notifier.py   the loop that tells
"""
