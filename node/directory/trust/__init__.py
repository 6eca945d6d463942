"""Trust: how a node comes by a directory that it may believe, from the files that somebody offers to the snapshot that is asked.

feed.py       asks folders and peers for newer files
  trust.py    bootstrap, update, load, serve to others
    verify.py   TUF's client rules over offered files
    believe.py  our own rules over what TUF let through
    edition.py  a verified version on disk
  wanted.py     what to ask a peer for next          refusals.py   what was refused, and when it may be tried again
  wholes.py     whole editions among the files offered   unusable.py   certificates that cannot be used, in words
source.py     the live directory that the rest of the house asks (ports.DirectorySource)
freshness.py  how old it is, in words
"""
