"""Submit stream: one Submit call, in which packets come one after another, are submitted together, and are answered in order.

They are submitted together because submissions that run at the same time share one commit and one signature; their number and octets
are bounded because memory must not grow with what a caller sends. A large packet goes to the node piece by piece while it is read.

A packet that is refused does not harm its neighbours: its result carries the reason. A packet that is refused while it is still
coming ends the call at once, with a result for every packet begun so far: nobody uploads 500 MB for nothing.
"""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from node.errors import Denied, Rejected
from node.model.finding import RulesBroken
from node.model.office import Submission, SubmitResult, System
from node.model.policy import MIB, Policy
from node.model.reason import Reason
from node.net.errors import describe
from node.wire.office import submission_from_proto
from node.wire.truc.v1 import office_service_pb2 as pb

PIECE_BYTES_MAX = 1 * MIB
"""Also the largest packet that is handled whole."""
IN_FLIGHT_BYTES_MAX = 16 * MIB
PACKETS_MAX = 10_000
SUBMIT_IDLE_S = 60.0
"""A call in which nothing comes for so long ends; who sent it repeats it."""
OF_SYSTEM_BYTES_MAX = 64 * MIB
"""The octets of all packets of one system that are in flight, in all its calls together."""

Packet = bytes | AsyncIterator[bytes]
Submit = Callable[[System, Submission, Packet], Awaitable[SubmitResult]]
Read = Callable[[], Awaitable[Any]]
"""Returns the next SubmitRequest or grpc.aio.EOF."""


class SubmitCall:
    """The reading of one call."""

    def __init__(self, submit: Submit, system: System, policy: Policy, read: Read, octets: "Octets") -> None:
        self._submit = submit
        self._system = system
        self._policy = policy
        self._read = read
        self._octets = octets
        self._tasks: list[asyncio.Task[SubmitResult]] = []
        self._open: deque[tuple[asyncio.Task[SubmitResult], int]] = deque()
        self._open_bytes = 0

    async def run(self) -> list[SubmitResult]:
        """Return one result for each packet begun, in order.

        Raises Deferred or Broken if the node cannot decide about a packet (repeat the call: ids make it harmless), and
        Rejected(REQUEST_INVALID) for a stream that does not begin with a packet.
        """
        message = await self._read()
        if message is not grpc.aio.EOF and message.HasField("whole") and message.whole.only:
            return [await self.submit_whole(message.whole.begin, message.whole.data)]
        following = await self._read() if message is not grpc.aio.EOF else message
        try:
            await self._take_all(message, following)
            return [await task for task in self._tasks]
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_all(self, message: Any, following: Any) -> None:
        while message is not grpc.aio.EOF:
            if len(self._tasks) >= PACKETS_MAX:
                raise Rejected(Reason.REQUEST_INVALID, f"more than {PACKETS_MAX} packets in one call")
            if message.HasField("whole"):
                data = message.whole.data
                await self._launch(self.submit_whole(message.whole.begin, data), len(data))
            elif message.HasField("begin"):
                if not await self._take_stream(message.begin, following):
                    return
                following = await self._read()
            else:
                raise Rejected(Reason.REQUEST_INVALID, "a packet opens with begin or whole")
            message, following = following, await self._read() if following is not grpc.aio.EOF else following

    async def _take_stream(self, begin: pb.SubmitBegin, following: Any) -> bool:
        """Take a packet that comes in pieces. Returns False if it was refused before its end: nothing more is read then."""
        pieces = Pieces(self._read, following, begin.packet_bytes, self._policy.packet_bytes_max)
        task = await self._launch(self._submit_stream(begin, pieces), PIECE_BYTES_MAX)
        ended = asyncio.ensure_future(pieces.ended.wait())
        try:
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        return pieces.ended.is_set()

    async def submit_whole(self, begin: pb.SubmitBegin, data: bytes) -> SubmitResult:
        """Submit a packet that is here as a whole. Raises Deferred or Broken as `run`."""
        try:
            if len(data) > PIECE_BYTES_MAX:
                raise Rejected(Reason.REQUEST_INVALID, "a whole packet has at most 1 MiB; send begin, data, end")
            if len(data) > self._policy.packet_bytes_max:
                raise Rejected(Reason.PACKET_TOO_LARGE, f"{len(data)} octets")
            return await self._submit(self._system, submission_from_proto(begin), data)
        except (Rejected, Denied) as refusal:
            return _refused(begin, refusal)

    async def _submit_stream(self, begin: pb.SubmitBegin, pieces: "Pieces") -> SubmitResult:
        try:
            submission = submission_from_proto(begin)
            if begin.packet_bytes > self._policy.packet_bytes_max:
                raise Rejected(Reason.PACKET_TOO_LARGE, f"{begin.packet_bytes} octets announced")
            small = 0 < begin.packet_bytes <= PIECE_BYTES_MAX
            packet = b"".join([piece async for piece in pieces]) if small else pieces
            return await self._submit(self._system, submission, packet)
        except (Rejected, Denied) as refusal:
            return _refused(begin, refusal)

    async def _launch(self, work: Any, size_bytes: int) -> "asyncio.Task[SubmitResult]":
        """Start a submission, after waiting for older ones if too much is in flight."""
        try:
            while self._open and (
                len(self._open) >= self._policy.submit_group_max or self._open_bytes + size_bytes > IN_FLIGHT_BYTES_MAX
            ):
                await self._wait_for_oldest()
            await self._octets.take(self._system.name, size_bytes)
        except BaseException:
            work.close()
            raise
        task: asyncio.Task[SubmitResult] = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._octets.give_back(self._system.name, size_bytes))
        self._tasks.append(task)
        self._open.append((task, size_bytes))
        self._open_bytes += size_bytes
        return task

    async def _wait_for_oldest(self) -> None:
        task, size_bytes = self._open.popleft()
        self._open_bytes -= size_bytes
        # A group ends all at once, and waiting for what has ended costs as much as for what has not.
        if not task.done():
            await asyncio.wait({task})
        if task.exception() is not None:
            await task


class Octets:
    """Memory for packets in flight, shared out to systems: each waits for what it has under way itself."""

    def __init__(self, each_bytes: int = OF_SYSTEM_BYTES_MAX) -> None:
        self._each_bytes = each_bytes
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, system: str, size_bytes: int) -> None:
        """Wait until a system has room for so many octets more. One packet it may always have."""
        while self._held[system] and self._held[system] + size_bytes > self._each_bytes:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(system, deque()).append(waiter)
            await waiter
        self._held[system] += size_bytes

    def give_back(self, system: str, size_bytes: int) -> None:
        """Give octets back; all that wait look again."""
        self._held[system] -= size_bytes
        if not self._held[system]:
            del self._held[system]
        for waiter in self._waiting.pop(system, ()):
            if not waiter.done():
                waiter.set_result(None)


class Pieces:
    """The octets of one packet as they come, ended by `end`. Raises Rejected where the stream or the sizes are not right."""

    def __init__(self, read: Read, first: Any, announced_bytes: int, bytes_max: int) -> None:
        self.ended = asyncio.Event()
        """Set once `end` has been read; the next message in the stream belongs to another packet."""
        self._read = read
        self._next: Any = first
        self._announced_bytes = announced_bytes
        self._bytes_max = bytes_max
        self._bytes = 0
        self._digest = hashlib.sha256()

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        if self.ended.is_set():
            raise StopAsyncIteration
        message = self._next if self._next is not None else await self._read()
        self._next = None
        if message is grpc.aio.EOF:
            raise Rejected(Reason.SUBMISSION_INCOMPLETE, f"the stream ends after {self._bytes} octets, without end")
        if message.HasField("data"):
            return self._count(message.data)
        if not message.HasField("end"):
            raise Rejected(Reason.REQUEST_INVALID, "a packet begins before the one before it has ended")
        self._end(message.end.packet_sha256)
        raise StopAsyncIteration

    def _count(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > self._bytes_max:
            raise Rejected(Reason.PACKET_TOO_LARGE, f"more than {self._bytes_max} octets")
        if len(data) > PIECE_BYTES_MAX or 0 < self._announced_bytes < self._bytes:
            raise Rejected(Reason.REQUEST_INVALID, "a piece of more than 1 MiB, or more octets than announced")
        self._digest.update(data)
        return data

    def _end(self, packet_sha256: bytes) -> None:
        self.ended.set()
        if self._announced_bytes and self._announced_bytes != self._bytes:
            raise Rejected(Reason.REQUEST_INVALID, f"{self._announced_bytes} octets announced, {self._bytes} came")
        if packet_sha256 and packet_sha256 != self._digest.digest():
            raise Rejected(Reason.REQUEST_INVALID, "packet_sha256 differs from the octets that came")


def _refused(begin: pb.SubmitBegin, refusal: Rejected | Denied) -> SubmitResult:
    findings = refusal.findings if isinstance(refusal, RulesBroken) else ()
    return SubmitResult(begin.submission_id, reason=refusal.reason, detail=describe(refusal), findings=findings)
