"""Access: who may come in, and by what. Credentials as files in the node's home, read again when they change.

    systems.py      systems of offices: their tokens, units and rights        credential.py   the file that a system is handed
    vxp_secrets.py  secrets of software that speaks VXP                       webhooks.py     where systems want to be told, and the secret
    tls_files.py    certificate and key of an HTTP door                       grants.py       units one by one, or all below a code
    marks.py        whether files of a folder have changed                    vxp_signing.py  a call to the VXP bridge, signed by hand

Identity comes from here and from TLS, never from a field of a message. Doors (net/, web/) ask; nothing here listens.
"""
