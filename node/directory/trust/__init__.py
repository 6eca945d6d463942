"""Trust: TUF's client. Files are verified as TUF says, believed as our own rules say, kept as an edition, and served to others.

verify.py   TUF's client rules over offered files      believe.py    our own rules over what TUF let through
edition.py  a verified edition on disk                 trust.py      bootstrap, update, load, serve to others
feed.py     asks folders and peers for newer editions  source.py     the live directory (ports.DirectorySource)
freshness.py  how old it is, in words
"""
