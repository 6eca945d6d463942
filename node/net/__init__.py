"""Net: gRPC servers, peer channels, TLS, the office client; and posting to webhooks. grpc lives only here and in wire/.

listener.py       one gRPC server               sockets.py        an address to listen on
guests.py         who may hold a connection, proven or not
mesh_server.py    the mesh's door               gate.py           who may pass it, and for how long
office_server.py  the office's door             directory_files.py   files that a peer sends
admin_server.py   the operator's door           submit_stream.py  one Submit call
peers.py          calls to peers                channels.py       the lines that they use
client.py         the office's client           client_submit.py, client_fetch.py   its two large verbs
admin_client.py   the operator's client         upload.py         calls in which we stream
tls.py            pinned TLS                    tls_trial.py      certificates tried by gRPC's own TLS
tokens.py         the authorization header      reflection.py     what may be called, told to those who may call
errors.py         faults as gRPC statuses       webhooks.py, webhook_client.py      telling systems of events

gRPC's core writes to stderr by itself, one line for each refused handshake; only its errors are wanted.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
