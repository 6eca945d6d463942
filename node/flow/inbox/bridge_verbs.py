"""VxpInbox: the verbs by which the VXP bridge lists, reports and looks back; each is one transaction (flow/inbox/vxp_inbox.py).

Intake, fetching and tracking are the node's own verbs; the bridge calls those.
"""

from node.flow.inbox import vxp_inbox
from node.flow.inbox.vxp_inbox import SentPacket, Waiting
from node.model.envelope import PacketKind
from node.model.office import System
from node.ports import Ports

PAGE = 500
"""Rows looked at in one transaction, so that a long list does not hold up the loop."""
COUNT_MAX = 100_000


class VxpInbox:
    """What a bridge asks of the store beyond the node's verbs."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def waiting(self, system: System, kind: PacketKind | None, start: bytes = b"") -> tuple[list[Waiting], bytes]:
        """Return a page of what waits for a system's units, and where to go on (empty: the end). A page may be empty."""
        units = sorted(system.units)
        return await self._ports.store.transact(lambda tx: vxp_inbox.waiting(tx, units, kind, start, PAGE))

    async def count(self, system: System, kind: PacketKind) -> int:
        """Return how many packets of a kind wait for a system's units; counting stops at 100,000."""
        count, start = 0, b""
        while True:
            page, start = await self.waiting(system, kind, start)
            count += len(page)
            if not start or count >= COUNT_MAX:
                return count

    async def find(self, system: System, docket_id: str) -> tuple[bytes, str]:
        """Return packet id and unit. Raises Rejected(NOT_FOUND) for what never was in an inbox of the system's units."""
        units = sorted(system.units)
        return await self._ports.store.transact(lambda tx: vxp_inbox.find(tx, docket_id, units))

    async def report(self, system: System, docket_id: str, word: str) -> None:
        """Write down what a unit's software says of a packet; "done" acknowledges it. Raises Rejected(NOT_FOUND)."""
        units, now_ms = sorted(system.units), self._ports.clock.now_ms()
        await self._ports.store.transact(lambda tx: vxp_inbox.report(tx, docket_id, units, word, now_ms))

    async def sent(self, packet_id: bytes) -> SentPacket:
        """Return what kind of packet was submitted here under an id. Raises Rejected(NOT_FOUND)."""
        return await self._ports.store.transact(lambda tx: vxp_inbox.sent(tx, packet_id))

    async def newest_sent(
        self, system: System, kind: PacketKind | None, start: bytes = b""
    ) -> tuple[list[SentPacket], bytes]:
        """Return a page of what the system has submitted, the newest first, and where to go on (empty: the end)."""
        return await self._ports.store.transact(lambda tx: vxp_inbox.newest_sent(tx, system.name, kind, start, PAGE))

    async def was_carried_out(self, system: System, order_sha256: bytes) -> bool:
        """Tell whether this very order about a unit was carried out for the system before."""
        return await self._ports.store.transact(lambda tx: vxp_inbox.was_carried_out(tx, system.name, order_sha256))

    async def note_carried_out(self, system: System, order_sha256: bytes) -> None:
        """Remember that an order about a unit has been carried out for the system."""
        now_ms = self._ports.clock.now_ms()
        await self._ports.store.transact(lambda tx: vxp_inbox.note_carried_out(tx, system.name, order_sha256, now_ms))
