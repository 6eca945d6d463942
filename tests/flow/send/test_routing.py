"""How a peer is reached now, and how long one waits after failures."""

import asyncio
from typing import Any

import pytest

from node.errors import Deferred
from node.flow import backoff
from node.flow.send.peer_health import CONTACT_PAUSE_MS, PeerHealth
from node.flow.send.routing import Lookup, Outlook, Road, choose_road, open_roads, peer_record, road_of_row
from node.model.directory import Directory, Role
from node.model.policy import DAY_MS, MINUTE_MS, Policy
from node.model.reason import Reason
from node.rows import keys
from node.rows.records import OutboxRecord, PeerRecord
from node.store.memory.store import MemoryStore
from tests.clocks import NOW
from tests.flow.support import directory, place, run

RELAY_AFTER_MS = 30_000
POLICY = Policy(relay_after_ms=RELAY_AFTER_MS)


def failing(*, for_ms: int = 0, next_in_ms: int = 1_000, reason: Reason = Reason.PEER_UNREACHABLE) -> PeerRecord:
    return PeerRecord(
        failures=3, first_failure_ms=NOW - for_ms, next_attempt_ms=NOW + next_in_ms, reason=reason, last_success_ms=1
    )


VIA_CENTRE = {"h49": {"via_relays": ("centre",)}}
NO_ADDRESS = {"h49": {"mesh_address": ""}}
TWO_RELAYS = {"h37": {"roles": frozenset({Role.RELAY})}}
LONG = RELAY_AFTER_MS

ROADS: list[tuple[str, dict[str, PeerRecord], dict[str, Any], str, bool]] = [
    # name, records, entries of the directory, whom to call ("" nobody), by a relay
    ("nothing is known yet", {}, {}, "h49", False),
    ("the road is open", {"h49": PeerRecord(last_success_ms=1)}, {}, "h49", False),
    ("an operator holds it", {"h49": PeerRecord(held=True)}, {}, "", False),
    ("an operator holds it, though relays are there", {"h49": PeerRecord(held=True)}, VIA_CENTRE, "", False),
    ("it fails since a short while", {"h49": failing()}, {}, "", False),
    ("it fails, and its next attempt is due", {"h49": failing(next_in_ms=0)}, {}, "h49", False),
    ("it fails just not long enough for a relay", {"h49": failing(for_ms=LONG - 1)}, {}, "", False),
    ("it fails for long", {"h49": failing(for_ms=LONG)}, {}, "centre", True),
    (
        "it fails for long and is due: the relay goes first",
        {"h49": failing(for_ms=LONG, next_in_ms=0)},
        {},
        "centre",
        True,
    ),
    ("it fails for long, the relay fails too", {"h49": failing(for_ms=LONG), "centre": failing()}, {}, "", False),
    (
        "it fails for long, the relay's next attempt is due",
        {"h49": failing(for_ms=LONG), "centre": failing(next_in_ms=0)},
        {},
        "centre",
        True,
    ),
    (
        "it fails for long, the relay fails, the direct attempt is due",
        {"h49": failing(for_ms=LONG, next_in_ms=0), "centre": failing()},
        {},
        "h49",
        False,
    ),
    (
        "it fails for long, the relay is held",
        {"h49": failing(for_ms=LONG), "centre": PeerRecord(held=True)},
        {},
        "",
        False,
    ),
    (
        "it fails for long, the first relay fails, the second is open",
        {"h49": failing(for_ms=LONG), "centre": failing()},
        TWO_RELAYS,
        "h37",
        True,
    ),
    ("only a relay can dial it", {}, VIA_CENTRE, "centre", True),
    ("only a relay can dial it, and that one fails", {"centre": failing()}, VIA_CENTRE, "", False),
    (
        "only a certain relay can dial it, another is open",
        {"centre": failing()},
        {**VIA_CENTRE, **TWO_RELAYS},
        "",
        False,
    ),
    ("nobody can dial it, a relay is asked", {}, NO_ADDRESS, "centre", True),
    ("we are the relay that can dial it", {}, {"h49": {"via_relays": ("g14",)}}, "h49", False),
]


def outlook(current: Directory, own_id: str = "g14") -> Outlook:
    return Outlook(own_id, current, NOW, POLICY)


def known(records: dict[str, PeerRecord]) -> Lookup:
    return lambda name: records.get(name, PeerRecord())


@pytest.mark.parametrize(("name", "records", "entries", "call", "is_relay"), ROADS, ids=[row[0] for row in ROADS])
def test_the_road_when(
    name: str, records: dict[str, PeerRecord], entries: dict[str, Any], call: str, is_relay: bool
) -> None:
    current = directory(entries=entries)
    road = choose_road(current.nodes["h49"], outlook(current), known(records))
    assert (road.call.node_id if road.call else "", road.is_relay) == (call, is_relay)


def test_a_road_that_is_closed_says_why_and_until_when() -> None:
    current = directory()
    peer = current.nodes["h49"]
    held = choose_road(peer, outlook(current), known({"h49": PeerRecord(held=True)}))
    assert held == Road(None, reason=Reason.HELD)
    waits = choose_road(peer, outlook(current), known({"h49": failing(reason=Reason.PEER_TLS_FAILED)}))
    assert (waits.wait_until_ms, waits.reason) == (NOW + 1_000, Reason.PEER_TLS_FAILED)


def test_a_relay_is_never_asked_to_reach_itself() -> None:
    current = directory()
    road = choose_road(current.nodes["centre"], outlook(current), known({"centre": failing(for_ms=LONG)}))
    assert road.call is None
    road = choose_road(current.nodes["h49"], outlook(current, "centre"), known({"h49": failing(for_ms=LONG)}))
    assert road.call is None, "a relay does not pass its burden to itself"


@pytest.mark.parametrize(
    ("asked", "custody", "kind", "expected"),
    [
        ([], "", keys.OUTBOX_PACKET, "centre"),
        (["centre"], "centre", keys.OUTBOX_PACKET, "h37"),
        ([], "centre", keys.OUTBOX_PACKET, "h37"),  # written before relays_asked was
        (["centre", "h37"], "h37", keys.OUTBOX_PACKET, "h49"),
        ([], "", keys.OUTBOX_RELAY, "h49"),
        ([], "", keys.OUTBOX_RECEIPT, "h49"),
    ],
)
def test_a_row_goes_to_a_fresh_relay_then_directly(asked: list[str], custody: str, kind: int, expected: str) -> None:
    current = directory(entries=TWO_RELAYS)
    roads = open_roads(current.nodes["h49"], outlook(current), known({"h49": failing(for_ms=LONG, next_in_ms=0)}))
    road = road_of_row(OutboxRecord(kind=kind, relays_asked=asked, custody_node=custody), roads)
    assert road is not None
    assert road.call is not None
    assert road.call.node_id == expected


def test_when_all_relays_have_had_it_the_one_asked_longest_ago_is_asked_again() -> None:
    current = directory(entries=TWO_RELAYS)
    roads = open_roads(current.nodes["h49"], outlook(current), known({"h49": failing(for_ms=LONG)}))
    road = road_of_row(OutboxRecord(kind=keys.OUTBOX_PACKET, relays_asked=["h37", "centre"]), roads)
    assert road is not None
    assert road.call is not None
    assert road.call.node_id == "h37"
    assert road_of_row(OutboxRecord(kind=keys.OUTBOX_RECEIPT), roads) is None, "only packets go by relays"


# --- back-off ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "failing_for_ms", "pause_s"),
    [
        (1, 0, 1),
        (2, 1_000, 2),
        (3, 3_000, 4),
        (5, MINUTE_MS, 16),
        (6, 2 * MINUTE_MS, 30),
        (50, 60 * MINUTE_MS, 30),
        (50, 60 * MINUTE_MS + 1, 150),
        (300, DAY_MS, 150),
        (300, DAY_MS + 1, 450),
        (100_000, 300 * DAY_MS, 450),
        (1, 2 * DAY_MS, 1),
    ],
)
def test_the_pause_doubles_to_half_a_minute_and_is_five_times_that_after_an_hour_and_fifteen_after_a_day(
    failures: int, failing_for_ms: int, pause_s: int
) -> None:
    assert backoff.pause_ms(failures, failing_for_ms, 0.5, Policy()) == pause_s * 1_000
    assert backoff.pause_ms(failures, failing_for_ms, 0.0, Policy()) == pause_s * 500
    assert backoff.pause_ms(failures, failing_for_ms, 1.0, Policy()) == pause_s * 1_500


def test_after_a_cut_of_less_than_an_hour_the_next_attempt_comes_within_45_seconds() -> None:
    # So that what waits is delivered within a minute of the healing, with time for the attempt and the backlog (issue 5).
    assert backoff.pause_ms(50, 60 * MINUTE_MS, 1.0, Policy()) <= 45_000


def test_failures_in_a_row_are_counted_from_the_first_and_a_success_wipes_them_out() -> None:
    record = backoff.after_failure(PeerRecord(held=True), Reason.PEER_UNREACHABLE, NOW, 0.5, Policy())
    assert (record.failures, record.first_failure_ms, record.next_attempt_ms) == (1, NOW, NOW + 1_000)
    record = backoff.after_failure(record, Reason.PEER_TLS_FAILED, NOW + 1_000, 0.5, Policy())
    assert (record.failures, record.first_failure_ms, record.next_attempt_ms) == (2, NOW, NOW + 3_000)
    assert record.reason == Reason.PEER_TLS_FAILED
    record = backoff.after_success(record, NOW + 3_000)
    assert record == PeerRecord(last_success_ms=NOW + 3_000, held=True), "what an operator holds stays held"


# --- the durable record ------------------------------------------------------------------------------------------------


def peer(rows: dict[bytes, bytes], node_id: str = "h49") -> PeerRecord:
    return PeerRecord.FromString(rows.get(keys.peer(node_id), b""))


def test_what_was_under_way_together_fails_once() -> None:
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        began_ms = here.clock.at_ms
        here.clock.at_ms += 100
        for _ in range(4):
            await roads.failed("h49", Reason.PEER_UNREACHABLE, began_ms)
        assert peer(here.rows()).failures == 1
        await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
        assert peer(here.rows()).failures == 2

    run(story())


def test_a_call_of_the_peer_makes_the_next_attempt_due_but_does_not_forget_the_failures() -> None:
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        for _ in range(9):
            await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
            here.clock.at_ms += 1
        assert roads.is_failing("h49")
        here.clock.at_ms += CONTACT_PAUSE_MS
        changed: list[str] = []
        roads.on_change = changed.append
        await roads.contacted("h49")
        record = peer(here.rows())
        assert (record.failures, record.next_attempt_ms, changed) == (9, here.clock.at_ms, ["h49"])
        await roads.succeeded("h49")
        assert (peer(here.rows()).failures, roads.is_failing("h49"), changed) == (0, False, ["h49", "h49"])

    run(story())


def test_a_call_that_comes_right_after_a_failure_is_not_forgotten() -> None:
    # Between hosts the peer's call came while our own attempt was just failing; the next one came half a minute later.
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        for _ in range(9):
            await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
            here.clock.at_ms += 1
        failed_ms = here.clock.at_ms - 1
        assert peer(here.rows()).next_attempt_ms > failed_ms + CONTACT_PAUSE_MS
        await roads.contacted("h49")
        assert peer(here.rows()).next_attempt_ms == failed_ms + CONTACT_PAUSE_MS

    run(story())


def test_two_nodes_that_can_call_but_not_serve_each_other_do_not_hurry_each_other_on() -> None:
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        await roads.failed("h49", Reason.DISK_FULL, here.clock.at_ms)
        before = peer(here.rows()).next_attempt_ms
        await roads.contacted("h49")
        assert peer(here.rows()).next_attempt_ms == before, "too soon after the last attempt"
        here.clock.at_ms += CONTACT_PAUSE_MS
        await roads.contacted("h49")
        assert peer(here.rows()).next_attempt_ms == before, "a peer that did answer is not news"

    run(story())


def test_back_off_is_found_again_on_the_disk_after_a_restart() -> None:
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        for _ in range(3):
            await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
            here.clock.at_ms += 1
        again = PeerHealth(here.ports, POLICY)
        assert not again.is_failing("h49")
        await again.arm()
        assert again.is_failing("h49")
        assert (await here.do(lambda tx: again.record(tx, "h49"))).failures == 3

    run(story())


def test_a_healthy_road_is_not_written_at_every_success() -> None:
    async def story() -> None:
        here = place("g14")
        roads = PeerHealth(here.ports, POLICY)
        await roads.succeeded("h49")
        first = peer(here.rows()).last_success_ms
        here.clock.at_ms += 1_000
        await roads.succeeded("h49")
        assert peer(here.rows()).last_success_ms == first
        here.clock.at_ms += POLICY.hello_every_ms
        await roads.succeeded("h49")
        assert peer(here.rows()).last_success_ms == here.clock.at_ms

    run(story())


class FullDisk:
    """Takes no writes while `full`."""

    full = False

    def write(self, size_bytes: int) -> None:
        if self.full:
            raise Deferred(Reason.DISK_FULL, "no space")

    async def sync(self) -> None:
        await asyncio.sleep(0)


def test_on_a_full_disk_failures_count_in_memory_and_what_an_operator_holds_stays_held() -> None:
    async def story() -> None:
        from dataclasses import replace

        here, disk = place("g14"), FullDisk()
        store = MemoryStore(disk)
        roads = PeerHealth(replace(here.ports, store=store), POLICY)
        held = PeerRecord(held=True).SerializeToString()
        await store.transact(lambda tx: tx.put(keys.peer("h49"), held))
        disk.full = True
        for _ in range(3):
            await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
            here.clock.at_ms += 1
        seen = await store.transact(lambda tx: roads.record(tx, "h49"))
        assert (seen.failures, seen.held) == (3, True)
        disk.full = False
        await roads.succeeded("h49")
        written = await store.transact(lambda tx: peer_record(tx, "h49"))
        assert (written.failures, written.held) == (0, True)

    run(story())


def test_on_a_full_disk_failures_go_on_from_what_was_written_before() -> None:
    async def story() -> None:
        from dataclasses import replace

        here, disk = place("g14"), FullDisk()
        roads = PeerHealth(replace(here.ports, store=MemoryStore(disk)), POLICY)
        for number in range(1, 7):
            disk.full = number > 3
            await roads.failed("h49", Reason.PEER_UNREACHABLE, here.clock.at_ms)
            here.clock.at_ms += 1
            seen = await roads._ports.store.transact(lambda tx: roads.record(tx, "h49"))
            assert seen.failures == number
        assert seen.first_failure_ms == here.clock.at_ms - 6

    run(story())


def test_the_pause_of_a_refused_item_doubles_from_half_a_minute_to_ten() -> None:
    pauses = [backoff.item_pause_ms(attempts, Policy()) // 1000 for attempts in range(7)]
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert backoff.item_pause_ms(10**6, Policy()) == 600_000
    assert backoff.item_pause_ms(3, Policy(item_retry_ms=3_600_000)) == 3_600_000, "an operator's longer pause stays"
