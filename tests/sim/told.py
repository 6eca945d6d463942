"""Told: what a caller hears of an exception at its peer, by the real mapping of node/net/errors.py.

A fault becomes a gRPC status with its reason, its time and its detail, cut to what fits into a header; anything else becomes INTERNAL
and a reference. The caller makes a fault of the status again. So no exception crosses a line as itself, as none does in a real mesh.
"""

import grpc

from node.errors import Fault
from node.net.errors import peer_fault_of, status_of


def as_told(error: Exception) -> Fault:
    """Return the fault that the caller of a peer hears of an exception there."""
    return peer_fault_of(_status(error))


def _status(error: Exception) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    if not isinstance(error, Fault):
        words = "Lỗi bên trong nút, mã tra cứu 00000000."
        return grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, empty, empty, words)
    status = status_of(error)
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, empty, trailing, status.details)
