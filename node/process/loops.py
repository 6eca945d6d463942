"""Loops: the six loops of a node, wired to what they use. Pure: the simulator and tests run the very same ones.

They are started in this order and stopped in the reverse. Each finds its work in the store, so any of them may be missing, or end.
"""

from node.flow.duties.duty_loop import DutyLoop
from node.flow.expiry.sweeper import Sweeper
from node.flow.send.dispatch import Dispatcher
from node.flow.send.hello import Greeter
from node.flow.send.loopback import Loopback
from node.flow.send.mending import Mending
from node.flow.send.peer_health import PeerHealth
from node.flow.send.transfer import TransferParts
from node.flow.webhooks.notifier import Notifier
from node.node import Node
from node.ports import Hooks


class Loops:
    """Sending, sweeping, duties, notices, scrubbing, mending."""

    def __init__(self, node: Node, hooks: Hooks) -> None:
        ports, policy, signals = node.ports, node.policy, node.signals
        peer_health = PeerHealth(ports, policy)
        greeter = Greeter(ports, policy, signals, peer_health, node.peers_seen, node.agreed_time, node.hello)
        parts = TransferParts(
            node.reader, node.wrapper, node.body_files, node.counters, signals, node.risk, node.agreed_time.sure_ms
        )
        self.dispatcher = Dispatcher(ports, policy, signals, parts, peer_health, greeter, Loopback(node.reception))
        self.sweeper = Sweeper(
            ports,
            policy,
            signals,
            node.counters,
            node.body_files,
            node.agreed_time,
            node.slices,
            node.standstill.look,
            node.risk,
        )
        self.duty_loop = DutyLoop(ports, policy, signals, node.reader.header, node.submit, node.risk)
        self.notifier = Notifier(ports, policy, signals, hooks)
        self.mending = Mending(ports, policy, signals, node.scrub, node.body_files)
        self._risk = node.risk
        self._all = (self.dispatcher, self.sweeper, self.duty_loop, self.notifier, node.scrub, self.mending)

    async def start(self) -> None:
        """Start them with what is due from before. Raises Fault if the store cannot be read now."""
        await self._risk.start()
        for loop in self._all:
            await loop.start()

    async def stop(self) -> None:
        """Stop them. Work that was under way is found again in the store."""
        for loop in reversed(self._all):
            await loop.stop()
        await self._risk.stop()
