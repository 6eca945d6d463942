"""Fair: units of one lane take turns, however much one of them has waiting, and nothing is lost or sent twice by that."""

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from node.flow.send import fair, outbox
from node.flow.send.fair import Beyond
from node.flow.send.outbox import Row
from node.flow.send.plan import Look, read_plan
from node.flow.send.routing import Outlook, peer_record
from node.flow.send.turns import FAST_LANES, Turn
from node.model.lane import Lane
from node.model.policy import KIB, Policy
from node.rows import keys
from node.rows.records import OutboxRecord
from tests.clocks import NOW
from tests.flow.support import Book, place

POLICY = Policy()
DIRECTORY = place("g14").directory.current()


class Line:
    """One peer's outbox, and as much of a courier as reading it needs."""

    def __init__(self) -> None:
        self.book = Book()
        self.now_ms = NOW
        self.look = Look(
            "h49", Outlook("g14", DIRECTORY, NOW, POLICY), {}, frozenset(), FAST_LANES, False, Turn(), peer_record
        )
        self.sent: list[Row] = []
        self._number = count(1)

    def put(self, unit: str, number: int = 1, body_bytes: int = 2 * KIB) -> None:
        """Let a unit hand in so many packets, one in each millisecond."""

        def write(tx: outbox.Tx) -> None:
            for _ in range(number):
                self.now_ms += 1
                record = OutboxRecord(
                    since_ms=self.now_ms, kind=keys.OUTBOX_PACKET, sender_unit=unit, body_bytes=body_bytes
                )
                packet_id = next(self._number).to_bytes(16, "big")
                assert outbox.enqueue(tx, "h49", Lane.NORMAL, packet_id, keys.OUTBOX_PACKET, record)

        self.book.do(write)

    def push(self, *, refused: bool = False) -> list[str]:
        """Send what goes next; return the units it comes from. `refused`: all of it comes back, as after a failure of the road."""
        self.now_ms += 1
        look = replace(self.look, outlook=replace(self.look.outlook, now_ms=self.now_ms))
        plan = self.book.do(lambda tx: read_plan(tx, look))
        assert self.book.do(lambda tx: read_plan(tx, look)) == plan, "a look may be taken twice"
        rows = plan.rows
        cursor, beyond = {**self.look.cursor, **plan.reach}, {**self.look.beyond, **plan.beyond}
        if refused:
            for row in rows:
                cursor[row.lane] = min(cursor[row.lane], row.key)
                beyond[row.lane] = beyond[row.lane].lowered(row.key)
        else:
            self.sent += rows
            self.book.do(lambda tx: [outbox.settle(tx, "h49", row.packet_id, row.kind) for row in rows])
        self.look = replace(self.look, cursor=cursor, beyond=beyond, turn=plan.turn)
        self.check_bounds(beyond.get(Lane.NORMAL, fair.NOTHING))
        return [row.record.sender_unit for row in rows]

    def check_bounds(self, beyond: Beyond) -> None:
        assert sum(map(len, beyond.kept.values())) <= fair.ALL_KEPT_MAX + fair.REFILLS_MAX * fair.KEPT_MAX
        assert len({*beyond.kept, *beyond.rest}) <= fair.UNITS_MAX

    def until(self, unit: str) -> int:
        """Send until a packet of a unit has gone; return by which push."""
        return next(number for number in count(1) if unit in self.push())

    def drain(self) -> Counter[str]:
        """Send all there is."""
        while self.push():
            pass
        assert len({row.key for row in self.sent}) == len(self.sent), "sent twice"
        return Counter(row.record.sender_unit for row in self.sent)


def test_a_packet_of_another_unit_does_not_wait_for_ten_thousand() -> None:
    line = Line()
    line.put("H49.1", 1_000)
    line.push()
    line.put("H49.1", 9_000)
    for _ in range(9):
        line.push()
    line.put("H49.2")
    assert line.until("H49.2") <= 2, "FIFO would be 147 pushes"
    assert line.drain() == {"H49.1": 10_000, "H49.2": 1}


def test_after_a_start_behind_a_backlog_it_waits_for_the_reading_and_no_longer() -> None:
    line = Line()
    line.put("H49.1", 10_000)
    line.put("H49.2")
    assert line.until("H49.2") <= 10_000 / fair.SCOUT_ROWS + 1


def test_the_last_of_three_does_not_wait_for_two_that_flood() -> None:
    line = Line()
    line.put("H49.1", 5_000)
    line.put("H49.2", 5_000)
    line.put("H49.3", 200)
    for _ in range(11):
        line.push()
    seen = Counter(unit for _ in range(6) for unit in line.push())
    assert min(seen.values()) >= 0.9 * 2 * 64, f"each has a third: {seen}"
    assert line.drain() == {"H49.1": 5_000, "H49.2": 5_000, "H49.3": 200}


def test_turns_are_counted_in_octets() -> None:
    line = Line()
    line.put("H49.1", 30, body_bytes=900 * KIB)
    line.put("H49.2", 60, body_bytes=2 * KIB)
    pushes = [Counter(line.push()) for _ in range(3)]
    assert pushes[0]["H49.1"] >= 1
    assert sum(one["H49.2"] for one in pushes) == 60, "small packets do not wait for 27 MB of another's"


def test_who_comes_anew_has_saved_up_nothing() -> None:
    line = Line()
    line.put("H49.1", 1_000)
    for _ in range(5):
        line.push()
    line.put("H49.2", 1_000)
    line.push()
    seen = Counter(line.push())
    assert seen["H49.1"] >= 31, f"the new one is not served alone for what it has not had before: {seen}"


def test_of_units_with_much_of_each_turn_and_turn_about_nothing_is_forgotten() -> None:
    line = Line()
    for _ in range(300):
        for unit in range(9):
            line.put(f"H49.{unit}")
    assert line.drain() == {f"H49.{unit}": 300 for unit in range(9)}


def test_of_a_thousand_units_at_once_every_one_has_its_turn() -> None:
    line = Line()
    line.put("H49.0", 500)
    for unit in range(1, 1_001):
        line.put(f"H49.{unit}", 3)
    line.push()
    firsts = Counter(unit for _ in range(24) for unit in line.push())
    assert firsts["H49.0"] <= 64 + 24 * 2
    assert sum(line.drain().values()) == 3_500


@pytest.mark.parametrize("every", [2, 3, 5])
def test_what_comes_back_goes_again(every: int) -> None:
    line = Line()
    line.put("H49.1", 700)
    line.put("H49.2", 300)
    line.put("H49.3", 1)
    for number in range(60):
        line.push(refused=number % every == 0)
    assert line.drain() == {"H49.1": 700, "H49.2": 300, "H49.3": 1}


def test_rows_that_others_have_taken_out_meanwhile_are_not_missed() -> None:
    line = Line()
    line.put("H49.1", 2_000)
    line.put("H49.2", 100)
    line.push()
    line.book.do(
        lambda tx: [
            outbox.settle(tx, "h49", row.packet_id, row.kind)
            for row in outbox.ready(tx, "h49", Lane.NORMAL, b"", 3_000)
            if row.record.sender_unit == "H49.2"
        ]
    )
    assert line.drain()["H49.1"] == 2_000


def test_rows_of_an_older_version_go_in_order_of_time_as_before() -> None:
    line = Line()
    line.put("", 200)
    line.drain()
    assert [row.key for row in line.sent] == sorted(row.key for row in line.sent)
