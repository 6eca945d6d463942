"""Lookup: the directory as questions are asked of it: by code, by name without accents, with typing errors.

search.py   units by code and name, for people
  fold.py   names without accents, abbreviations
units.py    125,000 units in little memory, by code
"""
