"""The outbox: its order, its bounds, and an index that always says where each thing is."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from node.flow.send import outbox
from node.flow.send.outbox import PUT_OFF_MS_MAX
from node.model.lane import Lane
from node.model.reason import Reason
from node.rows import keys
from node.rows.records import OutboxRecord
from tests.clocks import NOW
from tests.flow.support import Book

PACKET = keys.OUTBOX_PACKET


@pytest.mark.parametrize(
    ("reason", "is_suspect"),
    [(Reason.DISK_FULL, False), (Reason.IN_CUSTODY, False), (Reason.PEER_BUSY, True), (Reason.FAILED_INSIDE, True)],
)
def test_what_was_put_off_many_times_goes_alone_unless_that_says_nothing_against_it(
    reason: Reason, is_suspect: bool
) -> None:
    record = OutboxRecord(attempts=outbox.ALONE_AFTER_ATTEMPTS, reason=reason)
    assert outbox.is_suspect(record) is is_suspect
    record.attempts -= 1
    assert not outbox.is_suspect(record)


# --- ready, later, gone -------------------------------------------------------------------------------------------------


def enqueue(book: Book, number: int, *, lane: Lane = Lane.NORMAL, node_id: str = "h49", since_ms: int = NOW) -> bool:
    record = OutboxRecord(since_ms=since_ms, unit_count=1)
    return book.do(lambda tx: outbox.enqueue(tx, node_id, lane, number.to_bytes(16, "big"), PACKET, record))


def ready(book: Book, lane: Lane = Lane.NORMAL, node_id: str = "h49") -> list[int]:
    return [one.packet_id[-1] for one in book.do(lambda tx: outbox.ready(tx, node_id, lane, b"", 100))]


def put_off(book: Book, number: int, until_ms: int, **more: Any) -> bool:
    name = number.to_bytes(16, "big")
    reason = more.pop("reason", Reason.PEER_BUSY)
    return book.do(lambda tx: outbox.put_off(tx, "h49", name, PACKET, until_ms, reason, **more))


def test_the_same_thing_waits_once() -> None:
    book = Book()
    assert enqueue(book, 1)
    before = book.rows(b"")
    assert not enqueue(book, 1, since_ms=NOW + 5)
    assert book.rows(b"") == before


def test_ready_rows_come_oldest_first_from_a_key_on_and_only_of_that_lane_and_node() -> None:
    book = Book()
    for number in (3, 1, 2):
        enqueue(book, number, since_ms=NOW + number)
    enqueue(book, 7, lane=Lane.KHAN)
    enqueue(book, 8, node_id="h4")
    enqueue(book, 9, node_id="h490")
    assert ready(book) == [1, 2, 3]
    first = book.do(lambda tx: outbox.ready(tx, "h49", Lane.NORMAL, b"", 1))[0]
    after = book.do(lambda tx: outbox.ready(tx, "h49", Lane.NORMAL, first.key + b"\0", 100))
    assert [one.packet_id[-1] for one in after] == [2, 3]


def test_an_outbox_is_empty_when_nothing_waits_for_that_node_whether_ready_or_put_off() -> None:
    book = Book()

    def is_empty() -> bool:
        return book.do(lambda tx: outbox.is_empty(tx, "h49"))

    enqueue(book, 8, node_id="h4")
    enqueue(book, 9, node_id="h490")
    assert is_empty()
    enqueue(book, 1)
    assert not is_empty()
    put_off(book, 1, NOW + 50)
    assert not is_empty()
    book.do(lambda tx: outbox.settle(tx, "h49", (1).to_bytes(16, "big"), PACKET))
    assert is_empty()


def test_a_row_put_off_says_why_until_when_and_how_often() -> None:
    book = Book()
    enqueue(book, 1)
    assert put_off(book, 1, NOW + 50, reason=Reason.IN_CUSTODY, relay="centre")
    assert put_off(book, 1, NOW + 80)
    found = book.do(lambda tx: outbox.row_of(tx, "h49", (1).to_bytes(16, "big"), PACKET))
    assert found is not None
    key, record = found
    assert key.startswith(b"l")
    assert (record.attempts, record.reason, record.not_before_ms) == (2, Reason.PEER_BUSY, NOW + 80)
    assert record.custody_node == "centre", "what is in custody stays there when it is put off for another reason"
    assert book.do(lambda tx: outbox.next_due_ms(tx, "h49")) == NOW + 80
    assert ready(book) == []


def test_a_row_is_ready_again_when_its_time_has_come_at_its_old_place() -> None:
    book = Book()
    for number in (1, 2, 3):
        enqueue(book, number, since_ms=NOW + number)
    put_off(book, 2, NOW + 50)
    put_off(book, 1, NOW + 90)
    assert book.do(lambda tx: outbox.promote(tx, "h49", NOW + 49, 10)) == []
    assert len(book.do(lambda tx: outbox.promote(tx, "h49", NOW + 50, 10))) == 1
    assert ready(book) == [2, 3]
    book.do(lambda tx: outbox.promote(tx, "h49", NOW + 90, 10))
    assert ready(book) == [1, 2, 3]


def test_a_clock_that_was_set_back_strands_nothing() -> None:
    book = Book()
    enqueue(book, 1)
    put_off(book, 1, NOW + 1_000)
    long_ago_ms = NOW - 400 * 24 * 3_600_000
    assert len(book.do(lambda tx: outbox.promote(tx, "h49", long_ago_ms, 10))) == 1
    assert ready(book) == [1]


@pytest.mark.parametrize("where", ["ready", "later"])
def test_a_receipt_by_another_road_finds_the_row_wherever_it_is(where: str) -> None:
    book = Book()
    enqueue(book, 1)
    if where == "later":
        put_off(book, 1, NOW + 50)
    assert book.do(lambda tx: outbox.settle(tx, "h49", (1).to_bytes(16, "big"), PACKET))
    assert book.rows(b"") == {}
    assert not book.do(lambda tx: outbox.settle(tx, "h49", (1).to_bytes(16, "big"), PACKET))
    assert not put_off(book, 1, NOW + 50)
    assert book.rows(b"") == {}


NODES, LANES, KINDS = ("h4", "h49"), (Lane.CONTROL, Lane.NORMAL), (keys.OUTBOX_PACKET, keys.OUTBOX_RELAY)
names = st.tuples(st.sampled_from(NODES), st.integers(0, 5), st.sampled_from(KINDS))
PAUSE_MS_MAX = PUT_OFF_MS_MAX // 2


class OutboxMachine(RuleBasedStateMachine):
    """Any order of enqueue, put off, promote and settle against a dictionary: (node, packet, kind) -> (lane, since, due or None)."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now_ms = NOW
        self.model: dict[tuple[str, int, int], tuple[Lane, int, int | None]] = {}

    @rule(name=names, lane=st.sampled_from(LANES))
    def enqueue(self, name: tuple[str, int, int], lane: Lane) -> None:
        node_id, number, kind = name
        record = OutboxRecord(since_ms=self.now_ms)
        packet_id = number.to_bytes(16, "big")
        is_new = self.book.do(lambda tx: outbox.enqueue(tx, node_id, lane, packet_id, kind, record))
        assert is_new is (name not in self.model)
        self.model.setdefault(name, (lane, self.now_ms, None))

    @rule(name=names, pause_ms=st.integers(1, PAUSE_MS_MAX))
    def put_off(self, name: tuple[str, int, int], pause_ms: int) -> None:
        node_id, number, kind = name
        until_ms, packet_id = self.now_ms + pause_ms, number.to_bytes(16, "big")
        there = self.book.do(lambda tx: outbox.put_off(tx, node_id, packet_id, kind, until_ms, Reason.PEER_BUSY))
        assert there is (name in self.model)
        if there:
            lane, since_ms, _ = self.model[name]
            self.model[name] = (lane, since_ms, until_ms)

    @rule(name=names)
    def settle(self, name: tuple[str, int, int]) -> None:
        node_id, number, kind = name
        was = self.book.do(lambda tx: outbox.settle(tx, node_id, number.to_bytes(16, "big"), kind))
        assert was is (name in self.model)
        self.model.pop(name, None)

    @rule(node_id=st.sampled_from(NODES), passed_ms=st.integers(0, 2 * PAUSE_MS_MAX))
    def promote(self, node_id: str, passed_ms: int) -> None:
        self.now_ms += passed_ms
        self.book.do(lambda tx: outbox.promote(tx, node_id, self.now_ms, 100))
        for name, (lane, since_ms, due_ms) in self.model.items():
            if name[0] == node_id and due_ms is not None and due_ms <= self.now_ms:
                self.model[name] = (lane, since_ms, None)

    @invariant()
    def every_thing_is_in_one_place_and_the_index_knows_it(self) -> None:
        expected: dict[bytes, bytes] = {}
        for (node_id, number, kind), (lane, since_ms, due_ms) in self.model.items():
            packet_id = number.to_bytes(16, "big")
            key = keys.outbox_row(node_id, lane, since_ms, packet_id, kind)
            place = key if due_ms is None else keys.later_row(due_ms, key)
            expected[keys.outbox_index(packet_id, node_id, kind)] = place
        assert self.book.rows(b"q") == expected
        assert {*self.book.rows(b"o"), *self.book.rows(b"l")} == set(expected.values())

    @invariant()
    def the_next_due_time_is_the_earliest(self) -> None:
        for node_id in NODES:
            due = [at_ms for (name, _, _), (_, _, at_ms) in self.model.items() if name == node_id and at_ms is not None]
            assert self.book.do(lambda tx, n=node_id: outbox.next_due_ms(tx, n)) == min(due, default=None)  # type: ignore[misc]


OutboxMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestOutboxMachine = OutboxMachine.TestCase
