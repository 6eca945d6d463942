"""gRPC: servers, peer channels, TLS, credentials and the office client. grpc lives only here and in wire/.

gRPC's core writes to stderr by itself, one line for each refused handshake; only its errors are wanted.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
