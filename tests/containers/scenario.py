"""One scenario: traffic flows, something happens, it is healed, and then everything must have come: all of it, once, octet for octet."""

import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from types import TracebackType

from node.errors import Broken
from node.model.delivery import State
from node.model.envelope import PacketKind
from tests.containers.ledger import ANSWERED, ARRIVED, Ledger, Sent
from tests.containers.mesh import CENTRE, OFFICES, Mesh
from tests.containers.traffic import Traffic
from tests.containers.truth import Waiting, check_outbox, views_of

LONG = bool(os.environ.get("TRUC_LONG"))
"""Every scenario, and each at its full length."""
SETTLE_S = 60.0
"""After all is healed, everything that waits is delivered within this time."""
MISTAKES = re.compile(r"call\.failed|courier\.failed|Traceback|STORE_CORRUPT|ROLLED_BACK")
"""Words that no node's log may hold, whatever is done to it."""


@dataclass
class Row:
    """A line of the table at the end."""

    engine: str
    scenario: str
    packets: int = 0
    deliveries: int = 0
    statuses: int = 0
    longest_wait_s: float = 0.0
    settled_s: float = 0.0
    notes: dict[str, float] = field(default_factory=dict)


class Story:
    """The means of a scenario."""

    def __init__(self, mesh: Mesh, traffic: Traffic) -> None:
        self.mesh = mesh
        self.traffic = traffic
        self.notes: dict[str, float] = {}
        self._healed_s = 0.0
        self._log_begins = {name: len(host.log()) for name, host in mesh.nodes.items()}

    async def flow(self, seconds: float) -> None:
        """Let traffic flow."""
        await self.traffic.flow(seconds)

    async def outbox_says(self, name: str, nodes: set[str], *reasons: str, limit_s: float = 30.0) -> Waiting:
        """Look at a node's outbox, each time holding it against the truth, until something waits for `nodes` for such a reason."""
        end_s = time.monotonic() + limit_s
        while True:
            waiting = await check_outbox(self.mesh, self.traffic, name)
            said = waiting.for_nodes(nodes)
            if set(reasons) & set(said):
                return waiting
            assert time.monotonic() < end_s, f"{name} never says {reasons} of {nodes}, but {Counter(said)}"
            await self.flow(1.0)

    def healed(self) -> None:
        """From now on everything is as it was; how long it takes to settle is counted from here."""
        self._healed_s = time.monotonic()

    async def arrived(self, which: Callable[[Sent, str], bool], limit_s: float = SETTLE_S) -> None:
        """Wait until those deliveries have come that are asked for, by packet and unit."""
        ledger, end_s = self.traffic.ledger, time.monotonic() + limit_s
        wanted = {(packet, unit) for packet, unit in ledger.deliveries() if which(ledger.sent[packet], unit)}
        while missing := wanted - ledger.received.keys():
            assert time.monotonic() < end_s, (
                f"{len(missing)} have not come: {[ledger.sent[one] for one, _ in missing][:5]}"
            )
            await self.flow(0.3)

    async def went_by_relay(self, name: str, nodes: set[str]) -> None:
        """Hold that all deliveries of a node to some others went through the centre."""
        sent = [one for one in self.traffic.ledger.sent.values() if one.node == name]
        views = [one for one in (await views_of(self.traffic, name, sent)).values() if one.node_id in nodes]
        assert views
        assert {view.relay_node for view in views} == {CENTRE}

    async def clock_seen_from(self, name: str, other: str) -> float:
        """Return how far ahead, in seconds, a node sees another one's clock."""
        said = await asyncio.to_thread(self.mesh[name].truc, "peer", "list", "--json")
        peers = {one["node_id"]: one for one in json.loads(said.stdout)["peers"]}
        return float(peers[other]["clock_skew_ms"]) / 1000

    async def clock_is_named(self, name: str, limit_s: float = 30.0) -> None:
        """Wait until a node says of itself that its clock is wrong, so that it is not well; `truc doctor` says so as well."""
        end_s = time.monotonic() + limit_s
        while True:
            said = await asyncio.to_thread(self.mesh[name].truc, "health", "--json")
            grave = [one["reason"] for one in json.loads(said.stdout)["findings"] if one["grave"]]
            if grave:
                break
            assert time.monotonic() < end_s, f"{name} finds itself well: {said.stdout}"
            await self.flow(0.5)
        assert (grave, said.returncode) == (["CLOCK_UNSURE"], Broken.exit_code)
        examined = await asyncio.to_thread(self.mesh[name].truc, "doctor", "--json")
        wrong = [one["name"] for one in json.loads(examined.stdout)["checks"] if one["state"] == "wrong"]
        assert "clock" in wrong, examined.stdout

    async def settle(self, limit_s: float = SETTLE_S) -> float:
        """Wait until everything has come and every sender knows; return the seconds since it was healed."""
        self._healed_s = self._healed_s or time.monotonic()
        await asyncio.wait_for(self.traffic.stop_writing(), limit_s)
        while missing := [*self.traffic.ledger.missing(), *await self._unknown_to_senders()]:
            waited_s = time.monotonic() - self._healed_s
            assert waited_s < limit_s, f"after {waited_s:.0f} s {len(missing)} are missing: {missing[:10]}"
            await self.flow(0.3)
        return time.monotonic() - self._healed_s

    async def _unknown_to_senders(self) -> list[str]:
        """Deliveries that their sender does not know to be done, and documents whose statuses are not shown to their sender."""
        lacking = []
        for name in OFFICES:
            sent = [one for one in self.traffic.ledger.sent.values() if one.node == name]
            kinds = {one.packet_id: one.kind for one in sent}
            for (packet, unit), view in (await views_of(self.traffic, name, sent)).items():
                assert view.state is not State.FAILED, f"{packet.hex()} for {unit} failed: {view.reason.name}"
                codes = {event.code for event in view.statuses}
                told = kinds[packet] is PacketKind.STATUS or {ARRIVED, ANSWERED} <= codes
                if view.state is not State.DELIVERED or not told:
                    lacking.append(f"{name} thinks {packet.hex()} for {unit} is {view.state.name}, statuses {codes}")
        return lacking

    async def check(self) -> None:
        """Hold every inbox against the ledger: all of it, once; then empty them."""
        ledger = self.traffic.ledger
        held: Counter[tuple[bytes, str]] = Counter()
        for name in OFFICES:
            entries = await self.traffic.inbox(name)
            held.update((entry.packet_id, entry.unit) for entry in entries)
            for unit in sorted({entry.unit for entry in entries}):
                packets = [entry.packet_id for entry in entries if entry.unit == unit]
                for begin in range(0, len(packets), 500):
                    await self.traffic.offices[name].acknowledge(packets[begin : begin + 500], unit)
            assert await self.traffic.inbox(name) == []
        assert held == Counter(ledger.received.keys()), "the inboxes hold what they have given, each once"
        assert ledger.deliveries() <= held.keys()
        assert not ledger.too_much()
        for name, host in self.mesh.nodes.items():
            log = host.log()[self._log_begins[name] :]
            found = MISTAKES.search(log)
            assert found is None, f"{name} met a mistake of ours: {log[max(0, found.start() - 300) :][:2000]}"

    def row(self, scenario: str, settled_s: float) -> Row:
        """Return the scenario's line of the table."""
        ledger = self.traffic.ledger
        return Row(
            engine=self.mesh.hosts.engine,
            scenario=scenario,
            packets=len(ledger.sent),
            deliveries=len(ledger.deliveries()),
            statuses=sum(ledger.statuses.values()),
            longest_wait_s=round(ledger.longest_wait_s(), 1),
            settled_s=round(settled_s, 1),
            notes=self.notes,
        )


class Stage:
    """Where scenarios are played: `async with stage("name") as story`, one after the other on one mesh."""

    def __init__(self, mesh: Mesh, tell: Callable[[dict[str, object]], None]) -> None:
        self.mesh = mesh
        self._tell = tell

    @asynccontextmanager
    async def __call__(self, name: str, *, pause_s: float = 0.4, limit_s: float = SETTLE_S) -> AsyncIterator[Story]:
        """Start traffic; after the block wait until all has come, check, and tell the table."""
        seed = random.randrange(1_000_000)
        ledger = Ledger(self.mesh.folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.ledger")
        traffic = Traffic(self.mesh, ledger, random.Random(seed), pause_s)
        story = Story(self.mesh, traffic)
        traffic.start()
        try:
            yield story
            settled_s = await story.settle(limit_s)
            await story.check()
            self._tell(asdict(story.row(name, settled_s)))
        except BaseException as error:
            self._keep_evidence(error)
            raise
        finally:
            await traffic.stop()

    def _keep_evidence(self, error: BaseException, trace: TracebackType | None = None) -> None:
        self.mesh.is_broken = True
        self.mesh.save_logs()
        error.add_note(f"Stores, logs and the ledger are kept in {self.mesh.folder}")
