"""Gate: how many calls a peer may have at once, and how long a call may wait for it. Every call to the mesh passes here.

gRPC itself reads the request of a simple call before anybody of ours is asked, and waits for it as long as the caller likes. Therefore
all methods are served as streams (on the wire that is the same): first the caller gets a place or not, then its request is read.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from node.errors import Deferred, Fault, Rejected
from node.model.reason import Reason
from node.net.errors import CANCELLED, Context, Tally, end_call

CALLS_MAX = 256
"""Calls at once, from all peers together. It bounds memory to 256 pushes of 4 MiB."""
FREE_PER_CALL = 7
"""A peer may have one call for each 7 places that are free: 32 if it is alone, fewer the more there are who take all they can.

So a place is always left for who has none, as long as fewer than 250 do so. An honest node has 4 pushes under way, an upload, a Hello
and a fetch of the directory, and as many again that a broken connection has left behind.
"""
AT_THE_DOOR_MAX = 4 * CALLS_MAX
"""Calls that gRPC lets in; those without a place are refused at once and need room for that moment."""
REQUEST_S = 90.0
"""The longest that a request may take to come; who sends 4 MiB over the slowest line gives up after 80 s (peers.py)."""
SEND_IDLE_S = 30.0
"""An answer of many pieces ends if its caller takes none for so long."""
BUSY_MS = 1_000

Handler = Any
"""A grpc.RpcMethodHandler, whose stubs are generic and which is not."""
Caller = Callable[[Context], str]
"""Tells which node calls; "" for one that the directory does not name."""


class Shares:
    """Places at the door, shared among peers. Those whom the directory does not name share as one."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self.taken = 0

    def take(self, who: str) -> None:
        """Take a place. Raises Deferred(PEER_BUSY) over the peer's share."""
        if self._taken[who] * FREE_PER_CALL >= CALLS_MAX - self.taken:
            raise Deferred(Reason.PEER_BUSY, f"{self._taken[who]} calls from you are open", retry_after_ms=BUSY_MS)
        self._taken[who] += 1
        self.taken += 1

    def give_back(self, who: str) -> None:
        """Give a place back."""
        self.taken -= 1
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]


class Gate(grpc.aio.ServerInterceptor):
    """Stands before every method of a server."""

    def __init__(
        self,
        caller: Caller,
        shares: Shares,
        tally: Tally,
        *,
        request_s: float = REQUEST_S,
        send_idle_s: float = SEND_IDLE_S,
    ) -> None:
        self._caller = caller
        self._shares = shares
        self._tally = tally
        self._request_s = request_s
        self._send_idle_s = send_idle_s
        self._known: dict[str, Handler] = {}
        """Methods that were called, guarded. There are no others than those we serve, so it stays small."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method, guarded."""
        method = handler_call_details.method
        if method not in self._known:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._known[method] = self._guarded(method.rpartition("/")[2], handler)
        return self._known[method]

    def _guarded(self, name: str, handler: Handler) -> Handler:
        method: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        codec = (handler.request_deserializer, handler.response_serializer)

        async def admitted(requests: AsyncIterator[Any], context: Context) -> Any:
            """Return what the method is called with."""
            try:
                self._let_in(context)
                return requests if handler.request_streaming else await self._request(context)
            except Fault as fault:
                await end_call(self._tally, name, context, fault)
            except asyncio.CancelledError:
                self._tally.calls[name, CANCELLED] += 1
                raise

        async def answer(requests: AsyncIterator[Any], context: Context) -> Any:
            return await method(await admitted(requests, context), context)

        async def stream(requests: AsyncIterator[Any], context: Context) -> None:
            answers = method(await admitted(requests, context), context)
            if inspect.isawaitable(answers):  # it writes by itself, as the health service does
                await answers
                return
            async with aclosing(answers):
                async for piece in answers:
                    await self._write(context, piece)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(stream, *codec)
        return grpc.stream_unary_rpc_method_handler(answer, *codec)

    def _let_in(self, context: Context) -> None:
        """Give the caller a place until gRPC has done with the call, its answer sent. Raises Deferred(PEER_BUSY)."""
        who = self._caller(context)
        self._shares.take(who)
        context.add_done_callback(lambda _: self._shares.give_back(who))  # type: ignore[arg-type]  # a protocol with another name

    async def _request(self, context: Context) -> Any:
        try:
            request = await message_within(context, self._request_s)
        except DecodeError as error:
            raise Rejected(Reason.REQUEST_INVALID, "the request cannot be read") from error
        if request is grpc.aio.EOF:
            raise Rejected(Reason.REQUEST_INVALID, "no request came")
        return request

    async def _write(self, context: Context, piece: Any) -> None:
        """Send a piece. A caller that does not listen could not be told why the call ends, either, so it just ends."""
        try:
            async with asyncio.timeout(self._send_idle_s):
                await context.write(piece)
        except TimeoutError:
            raise asyncio.CancelledError from None


async def message_within(context: Context, limit_s: float) -> Any:
    """Return a caller's next message, or grpc.aio.EOF. Raises Deferred(PEER_BUSY) if none comes within the limit."""
    try:
        async with asyncio.timeout(limit_s):
            return await context.read()
    except TimeoutError as error:
        raise Deferred(Reason.PEER_BUSY, f"nothing came for {limit_s:.0f} s", retry_after_ms=BUSY_MS) from error
