"""Dispatcher: all the sending loops of a node, the Hellos that probe the roads, and the sweep.

Started once, armed from disk: every peer of the directory and every node for which something waits gets its courier, and its
courier finds its rows and their times in the store. Nothing depends on what was in memory before.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from node.errors import Fault
from node.flow import backoff
from node.flow.expiry import sweep
from node.flow.receive import arrival
from node.flow.send import outbox, receipts, reroute
from node.flow.send.courier import Courier
from node.flow.send.loopback import Loopback
from node.flow.send.peer_health import PeerHealth
from node.flow.send.routing import dialable
from node.model.directory import Directory, NodeEntry
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Receipt
from node.node import Node
from node.ports import Ports, Tx
from node.rows import keys

SWEEP_ITEMS_MAX = 100


class Dispatcher:
    """One courier and one Hello loop per peer, and the sweeper."""

    def __init__(self, node: Node, ports: Ports, policy: Policy) -> None:
        self._node = node
        self._ports = ports
        self._policy = policy
        self.peer_health = PeerHealth(ports, policy)
        self.on_bug: Callable[[Exception], None] = _raise_in_loop
        """Called with an exception that should not be: our own mistake, of which nothing was lost."""
        self.on_newer_directory: Callable[[str, int], None] = lambda node_id, version: None
        """Called when a peer trusts a newer version of the directory than we do."""
        self._couriers: dict[str, Courier] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._following = asyncio.Lock()
        node.on_outbox = self.wake
        node.on_contact = self._contacted
        self.peer_health.on_change = self._road_changed

    async def start(self) -> None:
        """Arm everything from disk and start sending."""
        await self.peer_health.arm()
        waiting = await self._ports.store.transact(outbox.nodes_waited_for)
        for node_id in sorted(waiting | set(self._ports.directory.current().nodes)):
            self._add(node_id)
        self._spawn(self._follow_units())
        self._spawn(self._sweep())

    async def stop(self) -> None:
        """Stop sending. Whatever was under way is found again in the outbox."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self, nodes: set[str]) -> None:
        """Something durable waits for these nodes."""
        for node_id in sorted(nodes):
            self._add(node_id)
            if node_id in self._couriers:
                self._couriers[node_id].wake()

    def directory_changed(self) -> None:
        """The directory has changed: new peers get couriers, old ones look again, and deliveries follow their units."""
        self.wake(set(self._ports.directory.current().nodes))
        self._spawn(self._follow_units())

    async def _follow_units(self) -> None:
        """If the map of prefixes has changed since the last time, look at everything that waits, page by page."""
        async with self._following:
            directory = self._ports.directory.current()
            digest, store = reroute.routes_digest(directory), self._ports.store
            while directory.version:
                try:
                    if await store.transact(lambda tx: tx.get(reroute.ROUTES_KEY)) == digest:
                        return
                    for node_id in sorted(await store.transact(outbox.nodes_waited_for)):
                        await self._follow_from(node_id, directory)
                    await store.transact(lambda tx: tx.put(reroute.ROUTES_KEY, digest))
                except Fault as fault:
                    # The store takes nothing now: what has not moved is looked at again.
                    await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))

    async def _follow_from(self, node_id: str, directory: Directory) -> None:
        for prefix in (keys.outbox(node_id), keys.later(node_id)):
            start, now_ms = prefix, self._ports.clock.now_ms()
            while start:
                look = partial(reroute.follow_units, prefix=prefix, start=start, node_id=node_id)
                page = await self._ports.store.transact(partial(look, directory=directory, now_ms=now_ms))
                self.wake(set(page.nodes))
                start = page.following

    def _add(self, node_id: str) -> None:
        if node_id in self._couriers:
            return
        own = node_id == self._node.node_id
        ports = replace(self._ports, peers=Loopback(self._node)) if own else self._ports
        courier = Courier(node_id, self._node, ports, self._policy, self.peer_health, self._bug)
        self._couriers[node_id] = courier
        self._spawn(courier.run())
        if not own:
            self._spawn(self._greet(node_id))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
            if isinstance(error, Exception):
                self._bug(error)

    def _bug(self, error: Exception) -> None:
        self.on_bug(error)

    def _road_changed(self, node_id: str) -> None:
        # Another peer may go through this one: everybody looks again.
        directory = self._ports.directory.current()
        entry = directory.nodes.get(node_id)
        is_relay = entry is not None and entry in directory.relays()
        self.wake(set(self._couriers) if is_relay else {node_id})

    def _contacted(self, node_id: str) -> None:
        if self.peer_health.is_failing(node_id):
            self._spawn(self.peer_health.contacted(node_id))

    # --- hello -------------------------------------------------------------------------------------------------

    async def _greet(self, node_id: str) -> None:
        """Say Hello now and then: it finds out that a road is open, and whose directory is newer."""
        if self.peer_health.is_failing(node_id):
            # Known from before a restart, which neither forgets nor hurries.
            await self._ports.clock.sleep(await self._pause_s(node_id))
        while True:
            peer = self._ports.directory.current().nodes.get(node_id)
            if peer is not None and dialable(peer, self._node.node_id):
                await self._hello(peer)
            await self._ports.clock.sleep(await self._pause_s(node_id))

    async def _hello(self, peer: NodeEntry) -> None:
        started_ms = self._ports.clock.now_ms()
        try:
            hello = await self._ports.peers.hello(peer, self._node.hello())
        except Fault as fault:
            await self.peer_health.failed(peer.node_id, fault.reason, started_ms)
            return
        self._node.peers_seen.greeted(peer.node_id, hello)
        await self.peer_health.succeeded(peer.node_id)
        if hello.directory_version > self._ports.directory.current().version:
            self.on_newer_directory(peer.node_id, hello.directory_version)

    async def _pause_s(self, node_id: str) -> float:
        every_s = self._policy.hello_every_ms / 1000 * (0.75 + self._ports.entropy.jitter() / 2)
        try:
            record = await self._ports.store.transact(lambda tx: self.peer_health.record(tx, node_id))
        except Fault:
            return every_s
        if not record.failures:
            return every_s
        return max(0.1, backoff.wait_ms(record, self._ports.clock.now_ms(), self._policy) / 1000)

    # --- sweep -------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            try:
                await self.sweep_once()
            except Fault as fault:
                # The store takes no writes now; what is due stays due.
                await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            await self._ports.clock.sleep(self._policy.sweep_every_ms / 1000)

    async def sweep_once(self) -> int:
        """Do what is due; return how many things that were."""
        now_ms = self._ports.clock.now_ms()
        due = await self._ports.store.transact(lambda tx: sweep.due(tx, now_ms, SWEEP_ITEMS_MAX))
        for item in due:
            if item.kind == keys.DUE_EXPIRE:
                await self._expire(item, now_ms)
            else:
                await self._forget(item, now_ms)
        shown, obliged = await self._ports.store.transact(
            lambda tx: arrival.show_what_waited(tx, now_ms, self._policy, SWEEP_ITEMS_MAX)
        )
        if obliged:
            self._node.on_duty()
        if due or shown:
            self._node.on_notice()
        await self._node.body_files.sweep(now_ms)
        return len(due) + shown

    async def _expire(self, item: sweep.Due, now_ms: int) -> None:
        def statement(tx: Tx) -> Receipt | None:
            return sweep.expired_receipt(tx, item.packet_id, self._node.node_id, now_ms)

        said = await self._ports.store.transact(statement)
        believed = None
        if said is not None:
            believed = receipts.Believed(said, receipts.sign_receipts(self._ports.keys, [said])[0])
        failed = await self._ports.store.transact(lambda tx: sweep.expire(tx, item, believed, now_ms, self._policy))
        self._node.counters.ended[Reason.EXPIRED] += failed

    async def _forget(self, item: sweep.Due, now_ms: int) -> None:
        unnamed = await self._ports.store.transact(lambda tx: sweep.forget(tx, item, now_ms))
        if unnamed is not None:
            await self._node.body_files.drop([unnamed])


def _raise_in_loop(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "a courier failed", "exception": error})
