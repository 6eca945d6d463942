"""Census: how much waits for each peer in each lane, and since when, counted by keys, a page at a time.

Rows that are put off lie in the order in which they are due, so neither their number nor the oldest of them can be read off in one
look, and a counter kept in memory would have to be built by a walk at every start. So the walk is made in pages, whenever somebody
wants to know (node/flow/views/queue_census.py): a page costs the same however long the queue is.
"""

from dataclasses import dataclass, field

from node.model.lane import Lane
from node.ports import Tx
from node.rows import keys

Place = tuple[str, Lane]
"""A peer and a lane."""


@dataclass(slots=True)
class Waiting:
    """Rows of one place: how many, and since when the oldest of them waits, milliseconds since 1970 UTC."""

    count: int = 0
    oldest_ms: int = 0


@dataclass(slots=True)
class Count:
    """A walk through what waits: what was found so far, and where it goes on (b"": it is at its end)."""

    places: dict[Place, Waiting] = field(default_factory=dict)
    following: bytes = keys.LATER
    rows: int = 0


def read_page(tx: Tx, start: bytes, limit: int) -> tuple[list[bytes], bytes]:
    """Return the keys of up to `limit` waiting rows from `start` on, and where the next page begins (b"": there is none)."""
    table = start[:1]
    found = [key for key, _ in tx.scan(table, start=start, limit=limit)]
    if len(found) == limit:
        return found, found[-1] + b"\0"
    return found, keys.OUTBOX if table == keys.LATER else b""


def add_page(count: Count, page: tuple[list[bytes], bytes]) -> None:
    """Go on with a walk by one page."""
    found, count.following = page
    count.rows += len(found)
    for key in found:
        node_id, lane, since_ms = keys.parse_waiting_row(key)
        place = count.places.setdefault((node_id, Lane(lane)), Waiting(0, since_ms))
        place.count += 1
        place.oldest_ms = min(place.oldest_ms, since_ms)
