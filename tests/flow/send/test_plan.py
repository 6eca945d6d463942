"""Plan: what of several lanes goes next; rows as older versions wrote them; and a look that is taken twice."""

from dataclasses import replace
from typing import Any

from node.flow.send import outbox, turns
from node.flow.send.plan import Look, Plan, read_plan
from node.flow.send.routing import Outlook, peer_record
from node.flow.send.turns import Turn
from node.model.lane import Lane
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import OutboxRecord, PeerRecord
from tests.clocks import NOW
from tests.flow.support import Book, place

LOOK = Look(
    peer_id="h49",
    outlook=Outlook("g14", place("g14").directory.current(), NOW, Policy(push_items_max=8)),
    cursor={},
    in_flight=frozenset(),
    lanes=(*turns.FAST_LANES, *turns.BULK_LANES),
    alone_first=False,
    turn=Turn(),
    record=peer_record,
)


def put(book: Book, lane: Lane, number: int, **fields: Any) -> None:
    record = OutboxRecord(since_ms=NOW - 1_000 + number, unit_count=1, kind=keys.OUTBOX_PACKET, **fields)
    packet_id = (100 * lane + number).to_bytes(16, "big")
    assert book.do(lambda tx: outbox.enqueue(tx, "h49", lane, packet_id, keys.OUTBOX_PACKET, record))


def look(book: Book, **changes: Any) -> Plan:
    """Plan, twice, as a store may that tries again: it must come out the same, and the look must not be changed by it."""
    seen = replace(LOOK, **changes)
    cursor = dict(seen.cursor)
    first = book.do(lambda tx: read_plan(tx, seen))
    assert book.do(lambda tx: read_plan(tx, seen)) == first
    assert (seen.cursor, seen.turn) == (cursor, changes.get("turn", Turn()))
    return first


def lanes_of(plan: Plan) -> list[list[Lane]]:
    return [[row.lane for row in batch.rows] for batch in plan.batches]


class Counting:
    """A transaction that counts how often it is asked for rows."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.scans = 0

    def scan(self, *args: Any, **more: Any) -> Any:
        self.scans += 1
        return self._tx.scan(*args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def test_something_large_goes_beside_a_push_and_the_most_urgent_of_the_large_first() -> None:
    book = Book()
    for number, lane in enumerate((Lane.NORMAL, Lane.BULK, Lane.BULK_KHAN, Lane.BULK_HOA_TOC, Lane.BULK_THUONG_KHAN)):
        put(book, lane, number)
    assert lanes_of(look(book)) == [[Lane.NORMAL], [Lane.BULK_HOA_TOC]]


def test_rows_of_the_one_lane_for_the_large_that_older_versions_had_go_as_before() -> None:
    book = Book()
    put(book, Lane.BULK, 1)
    put(book, Lane.BULK, 2)
    [batch] = look(book).batches
    assert [row.packet_id for row in batch.rows] == [(100 * 6 + 1).to_bytes(16, "big")]


def test_nothing_is_looked_for_in_each_lane_of_the_large_while_there_is_nothing_large() -> None:
    def scans(large: bool) -> int:
        book = Book()
        put(book, Lane.NORMAL, 1)
        if large:
            put(book, Lane.BULK_KHAN, 1)

        def count(tx: Tx) -> int:
            counting = Counting(tx)
            read_plan(counting, LOOK)  # type: ignore[arg-type]
            return counting.scans

        return book.do(count)

    # One question whether there is anything, as one lane of the large would cost.
    assert scans(large=True) - scans(large=False) == len(turns.BULK_LANES)


def test_urgent_ones_have_their_places_whatever_waits_before_and_behind_them() -> None:
    book = Book()
    for number in range(50):
        put(book, Lane.CONTROL, number)
        put(book, Lane.NORMAL, number)
    put(book, Lane.KHAN, 1)
    put(book, Lane.HOA_TOC, 1)
    [batch] = look(book).batches
    assert {Lane.KHAN, Lane.HOA_TOC} < {row.lane for row in batch.rows}


def test_what_has_failed_often_goes_alone_when_it_is_its_turn() -> None:
    book = Book()
    put(book, Lane.HOA_TOC, 1)
    put(book, Lane.NORMAL, 1, attempts=outbox.ALONE_AFTER_ATTEMPTS, reason=Reason.PEER_BUSY)
    assert lanes_of(look(book)) == [[Lane.HOA_TOC]]
    alone = look(book, alone_first=True, turn=Turn(3))
    assert (lanes_of(alone), alone.turn) == ([[Lane.NORMAL]], Turn(3))


def test_the_turns_go_on_from_plan_to_plan() -> None:
    book = Book()
    for number in range(50):
        for lane in turns.FAST_LANES:
            put(book, lane, number)
    found, turn, in_flight = [], Turn(), set()
    for _ in range(5):
        plan = look(book, turn=turn, in_flight=frozenset(in_flight))
        found += [row.lane for row in plan.rows]
        in_flight |= {row.key for row in plan.rows}
        turn = plan.turn
    assert tuple(found) == turns.WHEEL * 2


def test_what_waits_by_another_road_begins_the_next_push() -> None:
    book = Book()

    def fail(tx: Tx) -> None:
        # The direct road has failed for long and is due again: a relay is asked first, and then we call ourselves.
        record = PeerRecord(failures=9, first_failure_ms=NOW - 3_600_000, next_attempt_ms=NOW - 1)
        save(tx, keys.peer("h49"), record)

    book.do(fail)
    for number in range(20):
        put(book, Lane.HOA_TOC, number)
    put(book, Lane.NORMAL, 1, custody_node="centre", reason=Reason.IN_CUSTODY)
    first = look(book)
    following = look(book, turn=first.turn, in_flight=frozenset(row.key for row in first.rows))
    assert [batch.road.is_relay for batch in (*first.batches, *following.batches)] == [True, False]
    assert lanes_of(first) + lanes_of(following) == [[Lane.HOA_TOC] * 8, [Lane.NORMAL]]
