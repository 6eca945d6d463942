"""Completeness: how completely recipients report, counted over the deliveries of this node's own units, a page at a time.

There is no index by time of what was submitted, and none is worth keeping for a report that an operator asks for once a quarter (QĐ 28/2018
Điều 15): the deliveries are walked in order of key, a bounded page in each transaction, so that the node serves everybody else in between
and never holds more than a page (law 5). The caller counts a page outside the transaction, where headers can be opened.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from node.flow.document import status
from node.model.code import parse_code
from node.model.completeness import UnitReport, completeness, merged
from node.model.delivery import State
from node.model.directory import Directory
from node.model.envelope import PacketKind
from node.ports import Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import DeliveryRecord, PacketRecord
from node.wire import codec

PAGE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Counted:
    """A document that this node's units sent in the time asked for, with its delivered recipients and the codes that each reported."""

    packet: PacketRecord
    codes_by_unit: dict[str, tuple[str, ...]]


def page(tx: Tx, start: bytes, from_ms: int, to_ms: int, limit: int = PAGE_ROWS) -> tuple[list[Counted], bytes]:
    """Look at `limit` deliveries from a key on; return the documents among them, and where to go on (empty: the end).

    Of a document with many recipients a page may hold some and the next one the rest.
    """
    rows = tx.scan(keys.DELIVERIES, start=start, limit=limit)
    counted = [one for packet_id, units in _by_packet(rows) if (one := _counted(tx, packet_id, units, from_ms, to_ms))]
    return counted, rows[-1][0] + b"\0" if len(rows) == limit else b""


def _by_packet(rows: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, list[str]]]:
    """Group delivery rows by packet; only units that have it."""
    found: dict[bytes, list[str]] = {}
    for key, value in rows:
        if DeliveryRecord.FromString(value).state == State.DELIVERED:
            found.setdefault(keys.packet_of_delivery(key), []).append(keys.unit_after_id(key))
    return list(found.items())


def _counted(tx: Tx, packet_id: bytes, units: list[str], from_ms: int, to_ms: int) -> Counted | None:
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or not from_ms <= packet.accept_time_ms < to_ms:
        return None
    if codec.decode_envelope(packet.envelope).kind is not PacketKind.DOCUMENT:
        return None
    return Counted(packet, {unit: tuple(one.code for one in status.history(tx, packet_id, unit)) for unit in units})


def reports(documents: Iterable[Counted], directory: Directory) -> list[UnitReport]:
    """Count documents by recipient unit; in order of code."""
    found = []
    for one in documents:
        for unit, codes in one.codes_by_unit.items():
            entry = directory.unit(parse_code(unit))
            found.append(UnitReport(unit, entry.name if entry else "", {completeness(codes): 1}))
    return merged(found)
