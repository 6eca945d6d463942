"""Lookup: the directory as questions are asked of it: by code, by name without accents, with typing errors.

units.py   125,000 units in little memory        search.py   units by code and name        fold.py   names without accents
"""
