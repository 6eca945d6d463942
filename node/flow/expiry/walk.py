"""Walk: a slow way through the tables for rows that no due row leads to, a page at each sweep, so that nothing is scanned whole (law 5).

There are such rows because older versions planned no erasing and did not note all the names of a packet, orders of the bridge belong
to no packet at all, and a clock that was ahead has dated rows years from now. Where the walk stands is a row of its own: a restart goes
on there. After the last table it rests for an hour and begins again. It goes by agreed time; what is dated again or brought back, by
one that a peer confirms (`dates_again`; dates.py).

    packets          without a body and without a plan: plan the erasing (retention.py); accepted in the future: date again
    numbers          of a document that is not known any more: erase
    document names   of a packet that is not there any more: erase
    dossiers         rows of a packet that is not there any more, heads of nothing: erase
    bridge orders    older than records are kept: erase; carried out in the future: date again
    due rows         due later than their rule can mean: bring back
"""

from collections.abc import Callable
from dataclasses import dataclass

from node.flow.expiry import dates, retention
from node.model.policy import Policy
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.records import BridgeOrderRecord, PacketRecord

PAGE = 200
"""Rows at a sweep: 288,000 a day at a sweep a minute."""
PLACE = keys.meta("walk")

_NOBODY = document_keys.document_sha256("")
"""The digest that stands in the row of a number whose document had no DocumentId: no name leads there."""

Look = Callable[[Tx, bytes, bytes, int, Policy], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one page."""

    found: int
    """Rows in which there was something to do."""
    is_last: bool
    """True if it came to the end of the last table: the next step begins again."""


def step(tx: Tx, now_ms: int, policy: Policy, limit: int = PAGE, *, dates_again: bool = False) -> Step:
    """Look at the next page, through as many tables as it reaches."""
    begun = at = tx.get(PLACE) or _TABLES[0]
    found = 0
    while True:
        rows = tx.scan(at[:1], start=at, limit=limit)
        looks = [LOOKS[at[:1]], DATES.get(at[:1])] if dates_again else [LOOKS[at[:1]]]
        for look in filter(None, looks):
            found += sum([look(tx, key, value, now_ms, policy) for key, value in rows])
        limit -= len(rows)
        at = rows[-1][0] + b"\0" if limit <= 0 else _after(at[:1])
        if limit <= 0 or at == _TABLES[0]:
            break
    if at != begun:
        tx.put(PLACE, at)
    return Step(found, is_last=at == _TABLES[0])


def skip(tx: Tx) -> None:
    """Go on behind the next row, which cannot be looked at."""
    at = tx.get(PLACE) or _TABLES[0]
    rows = tx.scan(at[:1], start=at, limit=1)
    tx.put(PLACE, rows[0][0] + b"\0" if rows else _after(at[:1]))


def _after(table: bytes) -> bytes:
    return _TABLES[(_TABLES.index(table) + 1) % len(_TABLES)]


def _packet(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    packet = PacketRecord.FromString(value)
    if packet.erase_time_ms or not packet.body_forgotten:
        return False
    subject = retention.subject_of(tx, key[1:])
    assert subject is not None
    retention.plan(tx, subject, now_ms, policy)
    return True


def _number(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    return value != _NOBODY and retention.erase_number(tx, key)


def _name(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    if tx.get(keys.packet(value)) is not None:
        return False
    tx.delete(key)
    return True


def _dossier(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    unit, author, digest, packet_id = document_keys.parse_dossier(key)
    if packet_id:
        if tx.get(keys.packet(packet_id)) is not None:
            return False
        tx.delete(key)
        retention.erase_head(tx, unit, author, digest)
        return True
    return retention.erase_head(tx, unit, author, digest)


def _bridge_order(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    if BridgeOrderRecord.FromString(value).time_ms + policy.keep_records_ms > now_ms:
        return False
    tx.delete(key)
    return True


def _nothing(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    return False


LOOKS: dict[bytes, Look] = {
    keys.PACKETS: _packet,
    document_keys.NUMBERS: _number,
    document_keys.DOCUMENTS: _name,
    document_keys.DOSSIERS: _dossier,
    keys.BRIDGE_ORDERS: _bridge_order,
    keys.DUE: _nothing,
}
DATES: dict[bytes, Look] = {
    keys.PACKETS: dates.date_packet_again,
    keys.BRIDGE_ORDERS: dates.date_order_again,
    # Behind the packets: what is due goes by their dates.
    keys.DUE: dates.bring_back,
}
_TABLES = list(LOOKS)
