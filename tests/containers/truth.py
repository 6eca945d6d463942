"""Is `truc outbox` truthful? It is run as an operator runs it, and held against Track and against the recipients' inboxes.

Nothing stands still meanwhile, so what is compared is what cannot have changed its mind: what was delivered before the command cannot
wait in it, and what is not delivered after it must have waited in it.
"""

import asyncio
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from node.model.delivery import State
from node.model.office import DeliveryView
from tests.containers.ledger import Sent
from tests.containers.mesh import Mesh
from tests.containers.traffic import Traffic

REASONS_TO_WAIT = {
    "QUEUED",
    "PEER_UNREACHABLE",
    "PEER_TLS_FAILED",
    "PEER_BUSY",
    "IN_CUSTODY",
    "DISK_FULL",
    "STORE_STALLED",
    "SHUTTING_DOWN",
}
"""Reasons for which a scenario may make a delivery wait. Anything else is a word for something that has not happened."""
OUTBOX_LIMIT = 1_000

Views = dict[tuple[bytes, str], DeliveryView]
"""Track's word, by packet and unit."""


@dataclass(frozen=True)
class Waiting:
    """The command's words, by packet (hex) and node."""

    reasons: dict[tuple[str, str], str]

    def for_nodes(self, nodes: Collection[str]) -> list[str]:
        """Return the reasons of all that waits for some nodes."""
        return [reason for (_, node), reason in self.reasons.items() if node in nodes]


async def outbox_of(mesh: Mesh, name: str) -> Waiting:
    """Run `truc outbox` on a host; return what it says of packets (receipts and what a relay carries are left out)."""
    said = await asyncio.to_thread(mesh[name].truc, "outbox", "--json", "--limit", str(OUTBOX_LIMIT))
    assert said.returncode == 0, said.stdout + said.stderr
    document = json.loads(said.stdout)
    assert not document["more"], "more waits than the check can look at"
    rows = [row for row in document["entries"] if row["kind"] == "packet"]
    reasons = {(row["packet_id"], row["node_id"]): row["reason"] for row in rows}
    assert len(reasons) == len(rows), "the outbox shows something twice"
    return Waiting(reasons)


async def check_outbox(mesh: Mesh, traffic: Traffic, name: str) -> Waiting:
    """Hold the outbox of a node against what Track says before and after, and against what has really arrived."""
    acknowledged = [one for one in traffic.ledger.sent.values() if one.node == name]
    before = await views_of(traffic, name, acknowledged)
    waiting = await outbox_of(mesh, name)
    after = await views_of(traffic, name, acknowledged)
    shown = {(bytes.fromhex(packet), node) for packet, node in waiting.reasons}
    for packet, node in _by_node(before):
        states = {view.state for (one, _), view in before.items() if one == packet and view.node_id == node}
        assert State.FAILED not in states, f"{packet.hex()} for {node} has failed"
        assert states != {State.DELIVERED} or (packet, node) not in shown, f"{packet.hex()} waits though delivered"
    for packet, node in _by_node(after):
        states = {view.state for (one, _), view in after.items() if one == packet and view.node_id == node}
        assert State.WAITING not in states or (packet, node) in shown, f"{packet.hex()} for {node} waits unseen"
    for (packet, node), reason in waiting.reasons.items():
        assert reason in REASONS_TO_WAIT, f"{packet} for {node} waits for {reason}"
    await _delivered_is_delivered(mesh, traffic, before)
    return waiting


async def views_of(traffic: Traffic, name: str, acknowledged: Iterable[Sent]) -> Views:
    """Ask Track for all deliveries of what a node has acknowledged."""
    found: Views = {}
    for one in acknowledged:
        view = await traffic.offices[name].track(packet_id=one.packet_id)
        assert {delivery.unit for delivery in view.deliveries} == set(one.recipients)
        found |= {(one.packet_id, delivery.unit): delivery for delivery in view.deliveries}
    return found


async def _delivered_is_delivered(mesh: Mesh, traffic: Traffic, views: Views) -> None:
    """Hold that a packet which Track calls delivered lies in the recipient's inbox, as far as the recipient can be asked."""
    delivered = {key for key, view in views.items() if view.state is State.DELIVERED} - traffic.ledger.received.keys()
    for node in sorted({views[key].node_id for key in delivered}):
        if mesh[node].is_running() and node not in traffic.away:
            held = {(entry.packet_id, entry.unit) for entry in await traffic.inbox(node)}
            claimed = {key for key in delivered if views[key].node_id == node}
            assert claimed <= held, f"{node} lacks what others call delivered"


def _by_node(views: Views) -> set[tuple[bytes, str]]:
    return {(packet, view.node_id) for (packet, _), view in views.items()}
