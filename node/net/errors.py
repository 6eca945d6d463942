"""Errors on the wire: a fault that a handler raises becomes a gRPC status, and a gRPC status becomes the fault again.

A status carries google.rpc.ErrorInfo {reason: name, domain "truc", metadata: number, retry_after_ms, detail}; its
message is the Vietnamese advice with the detail, for programs that show nothing else. Any other exception is our own
mistake: it is logged with a reference and counted, and the caller learns the reference and nothing else.
"""

import asyncio
import functools
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc_status import rpc_status  # type: ignore[import-untyped]

from node.errors import Broken, Deferred, Denied, Fault, Rejected, fault
from node.log import get_logger
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.wire.codec import reason_of

DOMAIN = "truc"
OK, FAILED, CANCELLED = "OK", "FAILED", "CANCELLED"
"""Outcomes of a call that are no reason."""
DETAIL_CHARACTERS_MAX = 200
"""A status travels in HTTP/2 headers (8 KiB), where each Vietnamese letter takes up to nine octets."""

_DETAILS_KEY = "grpc-status-details-bin"
_TLS_WORDS = ("handshake failed", "certificate", "hostname verification", "ssl_error")

log = get_logger()


@dataclass(slots=True)
class Tally:
    """Calls to a server since the start and how they ended, for metrics. Methods are those we know, so it stays small."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by method and outcome: OK, the name of a reason, FAILED (a mistake of ours) or CANCELLED (the caller went away)."""
    refused: Counter[Reason] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """Unexpected exceptions by method; each is a mistake of ours."""


class HasTally(Protocol):
    """A servicer whose handlers are guarded."""

    tally: Tally


S = TypeVar("S", bound=HasTally)
Req = TypeVar("Req")
Res = TypeVar("Res")
Context = grpc.aio.ServicerContext[Any, Any]


def describe(error: Fault) -> str:
    """Return advice and detail in one sentence, Vietnamese first."""
    detail = error.detail[:DETAIL_CHARACTERS_MAX]
    return f"{error.advice} ({detail})" if detail else error.advice


def status_of(error: Fault) -> grpc.Status:
    """Return the gRPC status of a fault."""
    metadata = {"number": str(int(error.reason)), "retry_after_ms": str(error.retry_after_ms)}
    if error.detail:
        metadata["detail"] = error.detail[:DETAIL_CHARACTERS_MAX]
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata))
    code = grpc.StatusCode[error.grpc_code].value[0]
    status: grpc.Status = rpc_status.to_status(Status(code=code, message=describe(error), details=[packed]))
    return status


def answering(handler: Callable[[S, Req, Context], Awaitable[Res]]) -> Callable[[S, Req, Context], Awaitable[Res]]:
    """Guard a handler that gives one answer."""

    @functools.wraps(handler)
    async def guarded(self: S, request: Req, context: Context) -> Res:
        try:
            response = await handler(self, request, context)
        except Exception as error:
            await end_call(self.tally, handler.__name__, context, error)
        except asyncio.CancelledError:
            self.tally.calls[handler.__name__, CANCELLED] += 1
            raise
        self.tally.calls[handler.__name__, OK] += 1
        return response

    return guarded


def streaming(
    handler: Callable[[S, Req, Context], AsyncIterator[Res]],
) -> Callable[[S, Req, Context], AsyncIterator[Res]]:
    """Guard a handler that streams its answers."""

    @functools.wraps(handler)
    async def guarded(self: S, request: Req, context: Context) -> AsyncIterator[Res]:
        try:
            async for response in handler(self, request, context):
                yield response
        except Exception as error:
            await end_call(self.tally, handler.__name__, context, error)
        except (asyncio.CancelledError, GeneratorExit):
            self.tally.calls[handler.__name__, CANCELLED] += 1
            raise
        self.tally.calls[handler.__name__, OK] += 1

    return guarded


async def end_call(tally: Tally, method: str, context: Context, error: Exception) -> NoReturn:
    """Count how a call ended, and end it with the error's status."""
    if isinstance(error, Fault):
        tally.refused[error.reason] += 1
        tally.calls[method, error.reason.name] += 1
        log.debug("call.refused", method=method, reason=error.reason.name, detail=error.detail)
        await context.abort_with_status(status_of(error))
    reference = secrets.token_hex(4)
    tally.failed[method] += 1
    tally.calls[method, FAILED] += 1
    log.error("call.failed", method=method, reference=reference, exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, f"Lỗi bên trong nút, mã tra cứu {reference}.")


def fault_of(error: grpc.aio.AioRpcError) -> Fault:
    """Return the fault that a call ended with: the one the server raised, or what the transport's failure means.

    If the server said nothing: Deferred(PEER_TLS_FAILED or PEER_UNREACHABLE) if nothing was reached or no answer came in
    time, Deferred(PEER_BUSY) over the limits, Rejected(REQUEST_INVALID) for a call the server does not know or a
    message too large for it, Broken(IO_FAILED) if the server failed inside.
    """
    told = _told_fault(error)
    if told is not None:
        return told
    code, words = error.code(), error.details() or ""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        too_large = "larger than max" in words
        return Rejected(Reason.REQUEST_INVALID, words) if too_large else Deferred(Reason.PEER_BUSY, words)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Rejected(Reason.REQUEST_INVALID, f"the server does not know this call: {words}")
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
        return Broken(Reason.IO_FAILED, f"the server failed: {words}")
    return _transport_fault(code, words)


def peer_fault_of(error: grpc.aio.AioRpcError) -> Fault:
    """Do as `fault_of` for a call to a peer: a peer that is broken does not make us so.

    Hence Deferred: FAILED_INSIDE if something in the call met a mistake of its program, PEER_BUSY if it says that it is broken.
    """
    found = fault_of(error)
    if isinstance(found, Broken):
        if _told_fault(error) is None:
            return Deferred(Reason.FAILED_INSIDE, found.detail)
        return Deferred(Reason.PEER_BUSY, f"{found.reason.name} at the peer: {found.detail}")
    return found


@contextmanager
def faults(translate: Callable[[grpc.aio.AioRpcError], Fault] = fault_of) -> Iterator[None]:
    """Within: a call's AioRpcError is raised as a Fault."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error) from error
    except grpc.aio.UsageError as error:
        raise Deferred(Reason.PEER_UNREACHABLE, f"the channel is closed: {error}") from error


def _told_fault(error: grpc.aio.AioRpcError) -> Fault | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return _fault_of_details(value)
    return None


def _fault_of_details(octets: bytes) -> Fault | None:
    info = ErrorInfo()
    try:
        found = any(detail.Unpack(info) for detail in Status.FromString(octets).details)
        number, retry = int(info.metadata.get("number", "0")), int(info.metadata.get("retry_after_ms", "0"))
    except (DecodeError, ValueError):
        return None
    if not found or info.domain != DOMAIN or reason_of(number) is Reason.NONE:
        return None
    return fault(reason_of(number), info.metadata.get("detail", ""), retry_after_ms=min(max(0, retry), DAY_MS))


def _transport_fault(code: grpc.StatusCode, words: str) -> Fault:
    """Say why nothing was reached. A TLS 1.3 server that refuses our certificate just hangs up after the handshake."""
    lowered = words.lower()
    if any(word in lowered for word in _TLS_WORDS):
        return Deferred(Reason.PEER_TLS_FAILED, words)
    if "failed to connect" in lowered and ("socket closed" in lowered or "connection reset" in lowered):
        return Deferred(
            Reason.PEER_TLS_FAILED, f"it hung up on our handshake, perhaps it does not know our certificate: {words}"
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return Denied(Reason.CREDENTIAL_WRONG, words)
    found = Deferred(Reason.PEER_UNREACHABLE, f"{code.name}: {words}")
    # There was no connection that could have carried the call.
    found.was_sent = "failed to connect" not in lowered
    return found
