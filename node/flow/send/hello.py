"""Hello: one greeting loop per peer. A greeting finds out that a road is open again, whose directory is newer, and who has room again."""

from collections.abc import Callable

from node.errors import Fault
from node.flow import backoff
from node.flow.agreed_time import AgreedTime
from node.flow.loop import supervise
from node.flow.send.peer_health import PeerHealth
from node.flow.send.peers_seen import PeersSeen
from node.flow.send.routing import dialable
from node.flow.signals import Signals
from node.model.directory import NodeEntry
from node.model.mesh import Hello
from node.model.policy import Policy
from node.ports import Ports


class Greeter:
    """Says Hello to peers, now and then. `introduce` returns how this node introduces itself."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        peer_health: PeerHealth,
        peers_seen: PeersSeen,
        agreed_time: AgreedTime,
        introduce: Callable[[], Hello],
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._peer_health = peer_health
        self._peers_seen = peers_seen
        self._agreed_time = agreed_time
        self._introduce = introduce

    async def greet(self, node_id: str) -> None:
        """Greet one peer for ever, whatever comes of it. Ends by cancellation."""
        await supervise(lambda: self._greet(node_id), self._ports.clock, self._signals.bug.send, self._every_s)

    async def _greet(self, node_id: str) -> None:
        if self._peer_health.is_failing(node_id):
            # The failures are older than this process: a restart neither forgets them nor hurries the next attempt.
            await self._ports.clock.sleep(await self._pause_s(node_id))
        while True:
            peer = self._ports.directory.current().nodes.get(node_id)
            if peer is not None and dialable(peer, self._ports.keys.node_id):
                await self._hello(peer)
            await self._ports.clock.sleep(await self._pause_s(node_id))

    async def _hello(self, peer: NodeEntry) -> None:
        started_ms = self._ports.clock.now_ms()
        try:
            hello = await self._ports.peers.hello(peer, self._introduce())
        except Fault as fault:
            await self._peer_health.failed(peer.node_id, fault.reason, started_ms)
            return
        self._agreed_time.hear(peer.node_id, hello.wall_time_ms)
        if self._peers_seen.greeted(peer.node_id, hello):
            self._signals.peer_learned.send(peer.node_id)
        self._signals.greeted.send((peer.node_id, hello))
        await self._peer_health.succeeded(peer.node_id)
        if hello.directory_version > self._ports.directory.current().version:
            self._signals.newer_directory.send((peer.node_id, hello.directory_version))

    def _every_s(self) -> float:
        return self._policy.hello_every_ms / 1000 * (0.75 + self._ports.entropy.jitter() / 2)

    async def _pause_s(self, node_id: str) -> float:
        every_s = self._every_s()
        try:
            record = await self._ports.store.transact(lambda tx: self._peer_health.record(tx, node_id))
        except Fault:
            return every_s
        if not record.failures:
            return every_s
        return max(0.1, backoff.wait_ms(record, self._ports.clock.now_ms(), self._policy) / 1000)
