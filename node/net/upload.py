"""Upload: calls in which we stream and the server answers once, possibly before everything has been sent.

grpc.aio often loses the server's word then: a write that fails because the call has ended replaces the status already
received by its own INTERNAL (grpc/grpc issue 36066, open in 1.85). So every status is noted at the moment it is set, and
the one that came from the server counts.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc

T = TypeVar("T")

_OWN_WORDS = "Internal error from Core"
"""The details of the status that grpc.aio makes up for a failed write."""


async def conduct(call: "grpc.aio.StreamUnaryCall[Any, T]", send: Coroutine[Any, Any, None]) -> T:
    """Run `send`, which writes to the call and half-closes it, and return the server's answer.

    The answer counts also if it came before `send` was done. Raises grpc.aio.AioRpcError with the server's own status, and
    whatever `send` raises by itself; the call is over in any case.
    """
    endings: list[grpc.aio.AioRpcError] = []
    call.add_done_callback(lambda ended: endings.append(_ending_of(ended)))
    try:
        await _sent(send)
        return await call
    except grpc.aio.AioRpcError as error:
        told = [ending for ending in endings if ending.details() != _OWN_WORDS]
        raise (told[0] if told else error) from None
    finally:
        call.cancel()


async def _sent(send: Coroutine[Any, Any, None]) -> None:
    """Send as far as the server listens."""
    try:
        await send
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the call has ended already; awaiting it tells how


def _ending_of(call: "grpc.aio.StreamUnaryCall[Any, Any]") -> grpc.aio.AioRpcError:
    """Return how a finished call ended."""
    metadata = _at_once(call.trailing_metadata())
    return grpc.aio.AioRpcError(_at_once(call.code()), trailing_metadata=metadata, details=_at_once(call.details()))


def _at_once(answer: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        answer.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("the status of a finished call is known")
