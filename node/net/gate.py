"""Gate: who may call, how many calls a caller may have at once, and how long a call may wait for it. Every gRPC call passes here.

gRPC itself reads the request of a simple call before anybody of ours is asked, and waits for it as long as the caller likes. Therefore
all methods are served as streams (on the wire that is the same): first the caller is known and gets a place or not, then its request
is read. A large one keeps its caller's share of the memory until it is answered.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from weakref import WeakValueDictionary

import grpc
from google.protobuf.message import DecodeError

from node.errors import Deferred, Denied, Fault, Rejected
from node.model.policy import KIB
from node.model.reason import Reason
from node.net.errors import CANCELLED, Context, Tally, end_call
from node.net.guests import Guests

CALLS_MAX = 256
"""Calls of peers at once, from all together. It bounds memory to 256 pushes of 4 MiB."""
FREE_PER_CALL = 7
"""A peer may have one call for each 7 places that are free: 32 if it is alone, fewer the more there are who take all they can.

So a place is always left for who has none, as long as fewer than 250 do so. An honest node has 4 pushes under way, an upload, a Hello
and a fetch of the directory, and as many again that a broken connection has left behind.
"""
AT_THE_DOOR_MAX = 4 * CALLS_MAX
"""Calls that gRPC lets in; those without a place are refused at once and need room for that moment."""
LARGE_BYTES = 64 * KIB
READING_MAX, READING_OF_PEER_MAX = 32, 8
"""Calls of one caller in which something is being read, or whose large request is not answered yet; its next one waits. A peer's are
larger, and it has six under way at most."""
WORKING_MAX = 2
"""Simple requests of one peer that are worked on at once, the others wait: what a request costs weighs on who makes it. An envelope at its
bounds takes 46 ms of a processor, a batch of 64 packets 37 ms. With two, one is computed while the other is being made durable.
"""
REFUSALS_LATE_MAX = 64
"""Refusals of a credential that take a moment (tokens.py), at once; beyond, they are immediate, for waiting takes a place, too."""
REQUEST_S = 90.0
"""The longest that a request may take to come; who sends 4 MiB over the slowest line gives up after 80 s (peers.py)."""
SEND_IDLE_S = 30.0
"""An answer of many pieces ends if its caller takes none for so long."""
BUSY_MS = 1_000

Handler = Any
"""A grpc.RpcMethodHandler, whose stubs are generic and which is not."""
Caller = Callable[[str, Context], str]
"""Tells who calls a method ("/package.Service/Method"): a node, a system; "": nobody who is known. Raises Denied."""


class Shares:
    """Places at the door, shared among callers. Those whom nobody knows share as one."""

    def __init__(self, calls_max: int = CALLS_MAX, free_per_call: int = FREE_PER_CALL) -> None:
        self._calls_max = calls_max
        self._free_per_call = free_per_call
        self._taken: Counter[str] = Counter()
        self.taken = 0

    def take(self, who: str) -> None:
        """Take a place. Raises Deferred(PEER_BUSY) over the caller's share."""
        if self._taken[who] * self._free_per_call >= self._calls_max - self.taken:
            raise Deferred(Reason.PEER_BUSY, f"{self._taken[who]} calls from you are open", retry_after_ms=BUSY_MS)
        self._taken[who] += 1
        self.taken += 1

    def give_back(self, who: str) -> None:
        """Give a place back."""
        self.taken -= 1
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]


class Turns:
    """So many turns at once for each caller."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, who: str) -> asyncio.Semaphore:
        """Return what a call of that caller has to hold."""
        turn = self._turns.get(who)
        if turn is None:
            turn = self._turns[who] = asyncio.Semaphore(self._each)
        return turn


class Gate(grpc.aio.ServerInterceptor):
    """Stands before every method of a server."""

    def __init__(
        self,
        caller: Caller,
        shares: Shares,
        tally: Callable[[str], Tally],
        guests: Guests,
        *,
        request_s: float = REQUEST_S,
        send_idle_s: float = SEND_IDLE_S,
        refusal_delay_s: float = 0.0,
        reading_max: int = READING_MAX,
        working_max: int = CALLS_MAX,
    ) -> None:
        """Make a gate. `tally` returns where calls to a method are counted."""
        self._caller = caller
        self._shares = shares
        self._reading = Turns(reading_max)
        self._working = Turns(working_max)
        self._tally = tally
        self._guests = guests
        self._request_s = request_s
        self._send_idle_s = send_idle_s
        self._refusal_delay_s = refusal_delay_s
        self._refusals_late = 0
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
            self._known[method] = self._guarded(method, handler)
        return self._known[method]

    def _guarded(self, full_name: str, handler: Handler) -> Handler:
        method: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        codec = (handler.request_deserializer, handler.response_serializer)
        name, tally = full_name.rpartition("/")[2], self._tally(full_name)

        async def admitted(turn: Turn, requests: AsyncIterator[Any], context: Context) -> Any:
            """Return what the method is called with."""
            try:
                who = await self._let_in(full_name, context)
                await turn.take(self._reading.of(who))
                if handler.request_streaming:
                    return requests
                request = await self._request(turn, context)
                if not handler.response_streaming:
                    await turn.take(self._working.of(who))
                return request
            except Fault as fault:
                await end_call(tally, name, context, fault)
            except asyncio.CancelledError:
                tally.calls[name, CANCELLED] += 1
                raise

        async def answer(requests: AsyncIterator[Any], context: Context) -> Any:
            with Turn() as turn:
                return await method(await admitted(turn, requests, context), context)

        async def stream(requests: AsyncIterator[Any], context: Context) -> None:
            with Turn() as turn:
                answers = method(await admitted(turn, requests, context), context)
                if inspect.isawaitable(answers):  # it writes by itself, as the health service does
                    await answers
                    return
                async with aclosing(answers):
                    async for piece in answers:
                        await self._write(context, piece)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(stream, *codec)
        return grpc.stream_unary_rpc_method_handler(answer, *codec)

    async def _let_in(self, method: str, context: Context) -> str:
        """Give the caller a place until gRPC has done with the call, its answer sent; return who it is.

        Raises Denied, after a moment, for a caller that may not call this, and Deferred(PEER_BUSY).
        """
        try:
            who = self._caller(method, context)
        except Denied:
            await self._wait_a_moment()
            raise
        self._shares.take(who)
        context.add_done_callback(lambda _: self._shares.give_back(who))  # type: ignore[arg-type]  # a protocol with another name
        if who:
            self._guests.prove(context.peer(), who)
        return who

    async def _wait_a_moment(self) -> None:
        if self._refusals_late >= REFUSALS_LATE_MAX:
            return
        self._refusals_late += 1
        try:
            await asyncio.sleep(self._refusal_delay_s)
        finally:
            self._refusals_late -= 1

    async def _request(self, turn: "Turn", context: Context) -> Any:
        try:
            request = await message_within(context, self._request_s)
        except DecodeError as error:
            raise Rejected(Reason.REQUEST_INVALID, "the request cannot be read") from error
        if request is grpc.aio.EOF:
            raise Rejected(Reason.REQUEST_INVALID, "no request came")
        if request.ByteSize() < LARGE_BYTES:
            turn.give_back()  # of reading, which is all that it holds yet
        return request

    async def _write(self, context: Context, piece: Any) -> None:
        """Send a piece. A caller that does not listen could not be told why the call ends, either, so it just ends."""
        try:
            async with asyncio.timeout(self._send_idle_s):
                await context.write(piece)
        except TimeoutError:
            raise asyncio.CancelledError from None


class Turn:
    """One call's hold on its caller's turns; given back at the latest when the call ends."""

    def __init__(self) -> None:
        self._held: list[asyncio.Semaphore] = []

    def __enter__(self) -> "Turn":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    async def take(self, turn: asyncio.Semaphore) -> None:
        """Wait for a turn."""
        await turn.acquire()
        self._held.append(turn)

    def give_back(self) -> None:
        """Give back all that is held."""
        while self._held:
            self._held.pop().release()


async def message_within(context: Context, limit_s: float) -> Any:
    """Return a caller's next message, or grpc.aio.EOF. Raises Deferred(PEER_BUSY) if none comes within the limit."""
    try:
        async with asyncio.timeout(limit_s):
            return await context.read()
    except TimeoutError as error:
        raise Deferred(Reason.PEER_BUSY, f"nothing came for {limit_s:.0f} s", retry_after_ms=BUSY_MS) from error
