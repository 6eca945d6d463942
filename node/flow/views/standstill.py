"""Standstill: queues that do not move although the road to their peer is open.

A road that fails is told by its peer's record, and a row that a peer put off carries the reason. What is left is a row that nobody
tries: a mistake of ours, or damage in the way. So the sweeper looks each minute at the head of each lane and remembers since when it is
the same; and a row that was put off must have come back soon after its time. Looking costs one row for each lane of each peer.
"""

from collections.abc import Iterable

from node.model.lane import Lane
from node.model.policy import MINUTE_MS
from node.ports import Ports, Tx
from node.rows import keys

STANDS_AFTER_MS = 10 * MINUTE_MS
STANDS_AFTER_BULK_MS = 180 * MINUTE_MS
"""A large body may be under way for so long."""

Head = tuple[str, Lane, bytes]
"""A peer, a lane, and the key of the row that is next in it."""


def heads(tx: Tx, nodes: Iterable[str], now_ms: int) -> list[Head]:
    """Return the next row of each lane of each peer, and its first put-off row if that is due."""
    found = []
    for node_id in nodes:
        for lane in Lane:
            found += [(node_id, lane, key) for key, _ in tx.scan(keys.outbox_lane(node_id, lane), limit=1)]
        put_off = tx.scan(keys.later(node_id), limit=1)
        found += [(node_id, Lane.NORMAL, key) for key, _ in put_off if keys.due_of_later(key) <= now_ms]
    return found


class Standstill:
    """Remembers since when heads of queues are the same."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._since_ms: dict[Head, int] = {}

    async def look(self) -> None:
        """Look at the heads of all queues. Raises Fault if the store cannot be read now."""
        nodes = sorted(self._ports.directory.current().nodes)
        now_ms, monotonic_ms = self._ports.clock.now_ms(), self._ports.clock.monotonic_ms()
        found = await self._ports.store.transact(lambda tx: heads(tx, nodes, now_ms))
        self._since_ms = {head: self._since_ms.get(head, monotonic_ms) for head in found}

    def standing_ms(self, open_roads: Iterable[str]) -> dict[str, int]:
        """Return for each of these peers how long its queue has stood still, as far as that is too long."""
        monotonic_ms, standing = self._ports.clock.monotonic_ms(), dict.fromkeys(open_roads, 0)
        for (node_id, lane, _), since_ms in self._since_ms.items():
            age_ms = monotonic_ms - since_ms
            if node_id in standing and age_ms > (STANDS_AFTER_BULK_MS if lane.is_bulk else STANDS_AFTER_MS):
                standing[node_id] = max(standing[node_id], age_ms)
        return {node_id: age_ms for node_id, age_ms in standing.items() if age_ms}
