"""Seal: sign, verify, encrypt; the only room that knows cryptography. It alone decides what suite 1 means.

signature.py   many statements signed at once        body.py    a packet, encrypted in segments
wrap.py        the content key, locked for a node    small.py   small things on our own disk
keyring.py     the node's private keys               public.py  public keys as the directory lists them
files.py       key files                             secret.py  secrets that must be known again
tls.py         the node's TLS certificate            next_tls.py   the one that will take its place
certificate.py what a certificate must be to stand in the directory
"""
