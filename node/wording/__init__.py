"""Wording: the model's words for people, in Vietnamese (vietnamese.py), and for programs (plain.py); used by every door that shows them.

Faults have a sentence of their own at each door (told.py).
"""
