"""The network between simulated nodes: every message may be late, lost, repeated, overtaken or answered in vain.

A call is two legs. The request's leg may lose it (the caller waits in vain until its bound) or find the address closed (refused
at once, as a crashed machine does). The reply's leg may lose the answer after the peer has done the work: the caller learns
nothing, and tries again. Roads can be cut in one direction only; a cut that drops is a half-open link. Messages travel as octets
made and read by node/wire/, so nothing is shared by reference and the codecs are exercised. The caller is known as TLS would
tell: it is not in the message; and each side must present a certificate that the other's directory names (`admits`). Whatever is raised
at the peer is told as gRPC tells it (told.py), and a line may carry only so many octets a second (lines.py).
"""

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from node.errors import Deferred
from node.model.reason import Reason
from tests.sim.lines import Lines
from tests.sim.loop import NoAnswer, Process, VirtualLoop
from tests.sim.machine import Trace, mark
from tests.sim.told import as_told

BOUND_S = {
    "hello": 5.0,
    "push": 15.0,
    "offer": 10.0,
    "put_body": 60.0,
    "commit": 30.0,
    "fetch_directory": 60.0,
    "fetch_body": 50.0,
}
"""How long a call may take, as the real peers' deadlines (mesh.md 2.5)."""
STEPS = ("offer", "put_body", "offer", "commit")
"""A large packet on its way, if nothing goes wrong."""
PUSH_BYTES_PER_S = 512
"""A push gets this much more time for its size (net/peers.py, scaled to the limits of this world)."""
SERVE_S = 600.0
"""A handler that runs longer is itself a finding."""


class Host(Protocol):
    """A machine on the network; `process` is None while it is down."""

    name: str
    process: Process | None
    node: Any


@dataclass
class Weather:
    """Probabilities from 0 to 1 and times in seconds; changed by the scenario while the world runs."""

    lose_request: float = 0.0
    lose_reply: float = 0.0
    repeat_request: float = 0.0
    break_upload: float = 0.0
    delay_s: float = 0.02
    """Mean of one leg; single legs are now and then ten times as long, which is how messages overtake each other."""

    def calm(self) -> None:
        """Make all roads good."""
        self.lose_request = self.lose_reply = self.repeat_request = self.break_upload = 0.0
        self.delay_s = 0.02


@dataclass
class Counts:
    """Counts of what happened on the network."""

    calls: int = 0
    lost: int = 0
    repeated: int = 0
    refused: int = 0
    uploads: int = 0
    broken_uploads: int = 0


class Network:
    """All roads."""

    def __init__(self, loop: VirtualLoop, numbers: random.Random, trace: Trace) -> None:
        self.weather = Weather()
        self.counts = Counts()
        self.hosts: dict[str, Host] = {}
        self.cuts: dict[tuple[str, str], str] = {}
        """Directed roads that are cut: "drop" (silence) or "reject" (refused at once)."""
        self.walls: set[tuple[str, str]] = set()
        """Roads that never existed: healing does not open them."""
        self.on_reply: Callable[[str, str, bytes], None] = lambda name, verb, reply: None
        self.on_request: Callable[[str, str, str, bytes], None] = lambda origin, target, verb, request: None
        """Sees every call when it begins."""
        self.admits: Callable[[str, str], bool] = lambda origin, target: True
        """Tells whether two machines take each other's certificates."""
        self.lines = Lines()
        self.greeted_s: dict[tuple[str, str], float] = {}
        """When a node has last begun to greet another."""
        self.busiest = (0, "", "", 0)
        """Most calls in one minute over one road, without the steps that uploads need: calls, origin, target, minute."""
        self._offers: set[tuple[str, str, str]] = set()
        self._steps_left: Counter[tuple[tuple[str, str], str]] = Counter()
        self._minute = -1
        self._calls_this_minute: dict[tuple[str, str], int] = {}
        self._loop = loop
        self._numbers = numbers
        self._trace = trace
        self._running: dict[asyncio.Task[None], None] = {}

    def cut(self, origin: str, target: str, how: str = "drop") -> None:
        """Cut one direction of a road."""
        self.cuts[origin, target] = how

    def heal(self) -> None:
        """Mend everything that can be mended."""
        self.cuts.clear()
        self.weather.calm()

    def _count(self, origin: str, target: str, verb: str, request: bytes) -> None:
        self.counts.calls += 1
        if verb in STEPS and self._is_first(origin, target, verb, request):
            return
        minute = int(self._loop.time() / 60)
        if self._minute != minute:
            self._minute = minute
            self._calls_this_minute.clear()
        calls = self._calls_this_minute[origin, target] = self._calls_this_minute.get((origin, target), 0) + 1
        self.busiest = max(self.busiest, (calls, origin, target, minute))

    def _is_first(self, origin: str, target: str, verb: str, request: bytes) -> bool:
        """Tell whether a call is a step of a large packet that it needs in any case: work and no loop, though it be a hundred in a minute.

        When a disk has room again, all that has waited goes at once. Each first offer is followed by a body, an offer and a commit.
        """
        road, offer = (origin, target), (origin, target, mark(request))
        if verb == "offer" and offer not in self._offers:
            self._offers.add(offer)
            for step in STEPS:
                self._steps_left[road, step] += 1
        if self._steps_left[road, verb] < 1:
            return False
        self._steps_left[road, verb] -= 1
        return True

    async def call(self, origin: str, target: str, verb: str, request: bytes, serve: "Serve") -> bytes:
        """Carry a request there and its reply back. Raises Deferred if no answer came, or the fault that the peer answered."""
        self._count(origin, target, verb, request)
        self.on_request(origin, target, verb, request)
        if verb == "hello":
            self.greeted_s[origin, target] = self._loop.time()
        ends_s = self._loop.time() + BOUND_S[verb] + self._more_s(verb, request)
        await self._leg(origin, target, self.weather.lose_request, ends_s, verb, len(request), sends=True)
        self._shake_hands(origin, target)
        if self._numbers.random() < self.weather.repeat_request and verb != "put_body":
            self._repeat(origin, target, verb, serve)
        self._trace(target, f"{verb} from {origin} {mark(request)}")
        try:
            reply = await self._served(target, verb, serve, ends_s)
        except NoAnswer:
            self._trace(origin, f"{verb} to {target}: it died while answering")
            raise unreachable("connection reset") from None
        except Exception as refusal:
            self._trace(target, f"{verb} from {origin} refused: {refusal}")
            await self._leg(target, origin, self.weather.lose_reply, ends_s, verb, 0)
            raise as_told(refusal) from None
        await self._leg(target, origin, self.weather.lose_reply, ends_s, verb, len(reply))
        self._trace(origin, f"{verb} to {target} answered {mark(reply)}")
        return reply

    def _more_s(self, verb: str, request: bytes) -> float:
        return len(request) / PUSH_BYTES_PER_S if verb == "push" and self.lines.bytes_per_s else 0.0

    def _shake_hands(self, origin: str, target: str) -> None:
        if not self.admits(origin, target):
            self._trace(origin, f"{target} does not take its certificate, or is not {target}'s")
            raise Deferred(Reason.PEER_TLS_FAILED, "handshake failed")

    async def _served(self, target: str, verb: str, serve: "Serve", ends_s: float = 0.0) -> bytes:
        """Let the target answer; a fact is checked at the moment it is spoken (invariant I9).

        A caller waits for a process that stands still only until its own bound; the request waits there in its socket.
        """
        host = self.hosts[target]
        if host.process is None:
            raise NoAnswer(target)
        waits_s = max(0.0, ends_s - self._loop.time()) if host.process.paused else SERVE_S
        reply = await host.process.call(serve(host.node), waits_s)
        self.on_reply(target, verb, reply)
        return reply

    async def _leg(
        self, origin: str, target: str, lose: float, ends_s: float, verb: str, size_bytes: int, *, sends: bool = False
    ) -> None:
        """One way of a message. Raises Deferred when it does not come through; silence lasts until the caller's bound.

        Who `sends` and is refused at once knows that nothing of it has left.
        """
        how = "reject" if (origin, target) in self.walls else self.cuts.get((origin, target), "")
        if not how and self.hosts[target].process is None:
            how = "reject" if self._numbers.random() < 0.7 else "drop"
        if not how and self._numbers.random() < lose:
            how = "drop"
        late_s = self._delay_s()
        if not how:
            late_s += self.lines.take(origin, target, size_bytes, self._loop.time())
        if not how and self._loop.time() + late_s < ends_s:
            await asyncio.sleep(late_s)
            return
        self.counts.lost += 1
        self._trace(origin, f"{verb} {origin}>{target} {how or 'too late'}")
        await asyncio.sleep(late_s if how == "reject" else max(0.0, ends_s - self._loop.time()))
        lost = unreachable("refused" if how == "reject" else "no answer in time")
        lost.was_sent = not (sends and how == "reject")
        raise lost

    def _delay_s(self) -> float:
        late_s = self._numbers.expovariate(1 / self.weather.delay_s)
        return late_s * 10 if self._numbers.random() < 0.05 else late_s

    def _repeat(self, origin: str, target: str, verb: str, serve: "Serve") -> None:
        """Let the same request arrive once more, a little later; nobody hears the answer."""
        self.counts.repeated += 1
        late_s = self._numbers.random() * 30

        async def again() -> None:
            await asyncio.sleep(late_s)
            host = self.hosts[target]
            if host.process is not None:
                self._trace(target, f"{verb} from {origin} repeated")
                try:
                    await self._served(target, verb, serve)
                except Exception as refusal:
                    self._trace(target, f"{verb} from {origin} repeated: {refusal}")

        self.outside(again())

    def outside(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task that belongs to no process: the network's own, an office's."""
        task = self._loop.create_task(work, context=contextvars.Context())
        self._running[task] = None
        task.add_done_callback(self._running.pop)

    async def upload(self, origin: str, target: str, chunks: AsyncIterator[bytes], serve: "ServeUpload") -> bytes:
        """Carry a stream of chunks there and the reply back; it may break off between two chunks, on both sides."""
        self._count(origin, target, "put_body", b"")
        self.counts.uploads += 1
        self.on_request(origin, target, "put_body", b"")
        ends_s = self._loop.time() + BOUND_S["put_body"]
        await self._leg(origin, target, self.weather.lose_request, ends_s, "put_body", 0)
        self._shake_hands(origin, target)
        host = self.hosts[target]
        if host.process is None:
            raise unreachable("connection refused")
        pipe: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=2)
        task = host.process.start(serve(host.node, _arriving(pipe)))
        try:
            await self._pump(origin, target, chunks, pipe, task, ends_s)
            reply = await self._settled(task, ends_s)
        except BaseException:
            self._hang_up(task)
            raise
        self.on_reply(target, "put_body", reply)
        await self._leg(target, origin, self.weather.lose_reply, ends_s, "put_body", len(reply))
        self._trace(origin, f"put_body to {target} answered {mark(reply)}")
        return reply

    def _hang_up(self, task: "asyncio.Task[bytes]") -> None:
        """The caller is gone: the peer hears of it at once, or only when its keep-alive finds the link half-open."""
        if self._numbers.random() < 0.5:
            task.cancel()
        else:
            self._loop.call_later(self._numbers.uniform(1, 40), task.cancel)

    async def _pump(
        self,
        origin: str,
        target: str,
        chunks: AsyncIterator[bytes],
        pipe: "asyncio.Queue[bytes | None]",
        task: "asyncio.Task[bytes]",
        ends_s: float,
    ) -> None:
        async for chunk in chunks:
            carried_s = self.lines.take(origin, target, len(chunk), self._loop.time())
            await asyncio.sleep(self._delay_s() / 4 + carried_s)
            broken = self._numbers.random() < self.weather.break_upload or (origin, target) in self.cuts
            if broken or self._loop.time() > ends_s:
                self.counts.broken_uploads += 1
                self._trace(origin, f"put_body to {target} broke off")
                raise unreachable("the upload broke off")
            while pipe.full() and not task.done():
                await asyncio.sleep(0.01)
            if task.done():
                return
            pipe.put_nowait(chunk)
        while pipe.full() and not task.done():
            await asyncio.sleep(0.01)
        if not task.done():
            pipe.put_nowait(None)

    async def _settled(self, task: "asyncio.Task[bytes]", ends_s: float) -> bytes:
        done, _ = await asyncio.wait([task], timeout=max(0.0, ends_s - self._loop.time()))
        if not done or task.cancelled():
            raise unreachable("connection reset")
        refusal = task.exception()
        if isinstance(refusal, Exception):
            raise as_told(refusal) from None
        return task.result()


Serve = Callable[[Any], Coroutine[Any, Any, bytes]]
"""The target's answer to a request; gets the node, returns the reply's octets."""
ServeUpload = Callable[[Any, AsyncIterator[bytes]], Coroutine[Any, Any, bytes]]


async def _arriving(pipe: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
    while (chunk := await pipe.get()) is not None:
        yield chunk


def unreachable(detail: str) -> Deferred:
    """Make the fault of a call that got no answer."""
    return Deferred(Reason.PEER_UNREACHABLE, detail)
