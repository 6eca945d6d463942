"""Dispatch: all the sending loops of a node, a courier and a greeting for each peer.

It starts once, armed from disk: every peer of the directory and every node for which something waits gets its courier, and the
courier finds its rows and their times in the store. Nothing depends on what was in memory before.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from node.errors import Fault
from node.flow.loop import Tasks
from node.flow.send import outbox, reroute
from node.flow.send.courier import Courier
from node.flow.send.hello import Greeter
from node.flow.send.peer_health import PeerHealth
from node.flow.send.room import PeersRoom
from node.flow.send.transfer import Transfer, TransferParts
from node.flow.signals import Signals
from node.model.directory import Directory
from node.model.mesh import Hello
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Peers, Ports
from node.rows import keys

HEALED_BY_DIRECTORY = frozenset(
    {
        Reason.RECIPIENT_UNKNOWN,
        Reason.WRONG_NODE,
        Reason.PEER_SPEAKS_FOR_OTHERS,
        Reason.PEER_UNKNOWN,
        Reason.ENVELOPE_SIGNATURE_INVALID,
        Reason.RECEIPT_INVALID,
        Reason.DIRECTORY_OLDER,
        Reason.UNIT_NOT_YET,
        Reason.FORMER_NODE_ASKED,
    }
)
"""Reasons that may be gone as soon as one of both sides has a newer directory."""
HEALED_BY_ROOM = frozenset({Reason.DISK_FULL})
"""The reason that is gone as soon as the peer has room again."""
HEALED_BY_MENDING = frozenset({Reason.STORE_CORRUPT, Reason.BODY_DIGEST_DIFFERS})
"""Reasons that are gone when a damaged body is whole again (mending.py)."""
HASTEN_EVERY_MS = 10_000
"""So often at most what was put off for a peer goes again because of what the peer says."""
LOOK_EVERY_MS = 1_000
"""So often at most it is looked through for that, if there was nothing."""


class Dispatcher:
    """One courier and one greeting loop per peer. `loopback` is the port Peers with this very node at the other end."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        parts: TransferParts,
        peer_health: PeerHealth,
        greeter: Greeter,
        loopback: Peers,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._parts = parts
        self._greeter = greeter
        self._loopback = loopback
        self.peer_health = peer_health
        self._room = PeersRoom()
        self._hastening: set[tuple[str, frozenset[Reason]]] = set()
        """Whose rows are about to be looked through, for which reasons."""
        self._hasten_from_ms: dict[tuple[str, frozenset[Reason]], int] = {}
        """When they may be looked through again (monotonic)."""
        self._couriers: dict[str, Courier] = {}
        self._tasks = Tasks(signals.bug.send)
        self._following = asyncio.Lock()
        signals.outbox.connect(self.wake)
        signals.contact.connect(self._contacted)
        signals.routed_late.connect(self._routed_late)
        signals.peer_learned.connect(lambda node_id: self._hasten({node_id}, HEALED_BY_DIRECTORY))
        signals.body_mended.connect(lambda nodes: self._hasten(nodes, HEALED_BY_MENDING))
        signals.peer_full.connect(self._room.refused)
        signals.greeted.connect(self._greeted)
        self.peer_health.on_change = self._road_changed

    async def start(self) -> None:
        """Arm everything from disk and start sending."""
        await self.peer_health.arm()
        waiting = await self._ports.store.transact(outbox.nodes_waited_for)
        for node_id in sorted(waiting | set(self._ports.directory.current().nodes)):
            self._add(node_id)
        self._tasks.spawn(self._follow_units())

    async def stop(self) -> None:
        """Stop sending. Whatever was under way is found again in the outbox."""
        await self._tasks.stop()

    def wake(self, nodes: set[str]) -> None:
        """Let couriers look at once: something durable waits for these nodes."""
        for node_id in sorted(nodes):
            self._add(node_id)
            if node_id in self._couriers:
                self._couriers[node_id].wake()

    def directory_changed(self) -> None:
        """Take note of another directory: new peers get couriers, old ones look again, and deliveries follow their units."""
        for node_id in sorted(self._ports.directory.current().nodes):
            self._add(node_id)
        self._hasten(set(self._couriers), HEALED_BY_DIRECTORY)
        self._tasks.spawn(self._follow_and_wake())

    async def _follow_and_wake(self) -> None:
        # In this order: what is on its way when its unit is found to have moved has to be asked about.
        await self._follow_units()
        self.wake(set(self._ports.directory.current().nodes))

    def _routed_late(self, _: None) -> None:
        self._tasks.spawn(self._follow_units())

    async def _follow_units(self) -> None:
        """If the map of prefixes has changed since the last time, look at everything that waits, page by page."""
        async with self._following:
            directory = self._ports.directory.current()
            digest, store = reroute.routes_digest(directory), self._ports.store
            while directory.version:
                try:
                    if not await store.transact(lambda tx: reroute.begin_moving(tx, digest)):
                        return
                    for node_id in sorted(await store.transact(outbox.nodes_waited_for)):
                        await self._follow_from(node_id, directory)
                    await store.transact(lambda tx: reroute.end_moving(tx, digest))
                except Fault as fault:
                    # The store takes nothing now. Go through everything again: deliveries that have moved already are not found twice.
                    await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))

    async def _follow_from(self, node_id: str, directory: Directory) -> None:
        for prefix in (keys.outbox(node_id), keys.later(node_id)):
            start, now_ms = prefix, self._ports.clock.now_ms()
            while start:
                look = partial(reroute.follow_units, prefix=prefix, start=start, node_id=node_id, directory=directory)
                page = await self._while_still(node_id, partial(look, now_ms=now_ms))
                self.wake(set(page.nodes))
                start = page.following
                # A page that writes nothing waits for nothing: without this, a million rows hold the loop to the last.
                await self._ports.clock.sleep(0)

    async def _while_still(self, node_id: str, look: Callable[..., reroute.Page]) -> reroute.Page:
        """Look through what waits for a node while its courier sends nothing new, so that what it says of itself stays true."""
        transact, courier = self._ports.store.transact, self._couriers.get(node_id)
        if courier is None:
            return await transact(partial(look, sent=reroute.Sent()))
        async with courier.still:
            return await transact(partial(look, sent=courier.sent()))

    def _greeted(self, news: tuple[str, Hello]) -> None:
        node_id, hello = news
        if self._room.has_more(node_id, hello.admission_step):
            self._hasten(self._reached_through(node_id), HEALED_BY_ROOM)

    def _hasten(self, nodes: set[str], healed: frozenset[Reason]) -> None:
        """Let what was put off for these reasons go to these nodes: at once, or soon if they were hastened a moment ago."""
        new = {(node_id, healed) for node_id in nodes} - self._hastening
        self._hastening |= new
        if new:
            self._tasks.spawn(self._hasten_all(deque(sorted(node_id for node_id, _ in new)), healed))

    async def _hasten_all(self, nodes: deque[str], healed: frozenset[Reason]) -> None:
        try:
            while nodes:
                await self._hasten_in_turn(nodes.popleft(), healed)
        except Fault:
            # The store takes nothing now. The rows come again by themselves, a little later.
            return
        finally:
            self._hastening -= {(node_id, healed) for node_id in nodes}

    async def _hasten_in_turn(self, node_id: str, healed: frozenset[Reason]) -> None:
        """Look through a node's rows, not too soon after the last time: what a peer says in every Hello must not make us push in each."""
        clock, name = self._ports.clock, (node_id, healed)
        now_ms = clock.monotonic_ms()
        if (from_ms := self._hasten_from_ms.get(name, now_ms)) > now_ms:
            await clock.sleep((from_ms - now_ms) / 1000)
        # From here on it may be asked for again: what is put off later, this walk does not see.
        self._hastening.discard(name)
        self._hasten_from_ms[name] = clock.monotonic_ms() + LOOK_EVERY_MS
        if await self._hasten_rows(node_id, healed):
            self._hasten_from_ms[name] = clock.monotonic_ms() + HASTEN_EVERY_MS

    async def _hasten_rows(self, node_id: str, healed: frozenset[Reason]) -> bool:
        start, now_ms, has_found = keys.later(node_id), self._ports.clock.now_ms(), False
        while start:
            page = partial(outbox.hasten, node_id=node_id, start=start, now_ms=now_ms, healed=healed)
            found, start = await self._ports.store.transact(page)
            if found:
                has_found = True
                self.wake({node_id})
            await self._ports.clock.sleep(0)  # as above
        return has_found

    def _add(self, node_id: str) -> None:
        if node_id in self._couriers:
            return
        own = node_id == self._ports.keys.node_id
        ports = replace(self._ports, peers=self._loopback) if own else self._ports
        transfer = Transfer(node_id, ports, self._policy, self._parts)
        courier = Courier(
            node_id, ports, self._policy, self.peer_health, transfer, self._signals.bug.send, self._parts.risk
        )
        self._couriers[node_id] = courier
        self._tasks.supervise(f"courier of {node_id}", courier.run)
        if not own:
            self._tasks.supervise(f"greeting of {node_id}", partial(self._greeter.greet, node_id))

    def _road_changed(self, node_id: str) -> None:
        self.wake(self._reached_through(node_id))

    def _reached_through(self, node_id: str) -> set[str]:
        """Return the nodes whose rows may go to this one: its own, or if it is a relay those of any."""
        directory = self._ports.directory.current()
        entry = directory.nodes.get(node_id)
        is_relay = entry is not None and entry in directory.relays()
        return set(self._couriers) if is_relay else {node_id}

    def _contacted(self, node_id: str) -> None:
        if self.peer_health.is_failing(node_id):
            self._tasks.spawn(self.peer_health.contacted(node_id))
