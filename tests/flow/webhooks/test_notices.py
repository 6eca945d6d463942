"""Telling systems of events: each event once, rows bounded whatever happens, batches that do not change, LOOK for what is too much."""

import json
from dataclasses import replace
from typing import Any

import pytest

from node.errors import Deferred
from node.flow.webhooks import notices
from node.flow.webhooks.notifier import Notifier
from node.model.policy import DAY_MS, MINUTE_MS, Policy
from node.model.reason import Reason
from node.model.webhook import Batch, Hook, NoticeKind
from node.rows import webhook_keys
from node.wire.webhook import message_of
from tests.clocks import NOW
from tests.flow.support import Book, Place, place, push_of, run
from tests.papers import document, status_about

HOOK = Hook("qlvb", frozenset({"H49", "H49.22"}), 7)
POLICY = Policy()


def followed(*hooks: Hook) -> Book:
    """A store that knows hooks which have heard their first LOOK."""
    book = Book()
    book.do(lambda tx: notices.follow(tx, {one.system: one for one in hooks}, NOW))
    for one in hooks:
        take(book, one.system)
    return book


def batch_of(book: Book, system: str = "qlvb") -> Batch:
    found = book.do(lambda tx: notices.batch(tx, system))
    assert found is not None
    return found


def take(book: Book, system: str = "qlvb", now_ms: int = NOW) -> Batch:
    told = batch_of(book, system)
    book.do(lambda tx: notices.taken(tx, told, now_ms))
    return told


def fail(book: Book, now_ms: int = NOW, *, pause_ms: int = 0) -> bool:
    told = batch_of(book)
    reason = Reason.HOOK_REFUSED
    return book.do(lambda tx: notices.not_taken(tx, told, reason, "HTTP 500", now_ms, pause_ms, 0.5, POLICY))


def arrive(book: Book, number: int, unit: str = "H49.22", now_ms: int = NOW) -> None:
    book.do(lambda tx: notices.arrived(tx, unit, number.to_bytes(16, "big"), now_ms))


def due(book: Book, now_ms: int = NOW) -> list[str]:
    return book.do(lambda tx: notices.due(tx, now_ms, 10)[0])


def view(book: Book) -> Any:
    [one] = book.do(notices.views)
    return one


def test_a_new_hook_begins_with_a_look_and_goes_on_one_by_one() -> None:
    book = Book()
    book.do(lambda tx: notices.follow(tx, {"qlvb": HOOK}, NOW))
    first = take(book)
    arrive(book, 5)
    second = take(book)

    assert [notice.kind for notice in first.notices] == [NoticeKind.LOOK]
    assert [(n.kind, n.unit, n.packet_id[-1]) for n in second.notices] == [(NoticeKind.ARRIVED, "H49.22", 5)]
    assert (due(book), view(book).told, view(book).waiting) == ([], 2, 0)


def test_nothing_is_written_for_units_and_systems_without_a_hook() -> None:
    book = followed(HOOK)
    before = book.rows(b"")
    arrive(book, 1, "H49.99")
    book.do(lambda tx: notices.happened_to(tx, b"p" * 16, NoticeKind.ENDED, ["H49"], NOW))

    assert book.rows(b"") == before


def test_two_systems_of_one_unit_are_both_told_and_names_that_begin_alike_are_kept_apart() -> None:
    other = Hook("qlvb-2", frozenset({"H49.22"}), 7)
    book = followed(HOOK, other)
    arrive(book, 1)
    take(book, "qlvb")

    assert book.do(notices.names) == ["qlvb", "qlvb-2"]
    assert (due(book), len(take(book, "qlvb-2").notices)) == (["qlvb-2"], 1)


def test_a_batch_stays_what_it_was_when_it_is_told_again() -> None:
    book = followed(HOOK)
    for number in range(notices.BATCH_MAX + 10):
        arrive(book, number)
    first = batch_of(book)
    fail(book)
    arrive(book, 999)
    again = batch_of(book)

    assert len(first.notices) == notices.BATCH_MAX
    assert again == first
    ids = [message_of(one, "h49", at_ms).message_id for one, at_ms in ((first, NOW), (again, NOW + 5))]
    assert ids[0] == ids[1]
    take(book)
    assert len(take(book).notices) == 11


def test_a_small_batch_that_failed_does_not_grow() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    first = batch_of(book)
    arrive(book, 2)

    assert batch_of(book) == first
    take(book)
    assert [n.packet_id[-1] for n in take(book).notices] == [2]


def test_with_too_many_all_become_one_look_that_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "NOTICES_MAX", 20)
    book = followed(HOOK)
    for number in range(21):
        arrive(book, number)
    rows = len(book.rows(webhook_keys.notices("qlvb")))
    for number in range(500):
        arrive(book, number + 100)
    look = batch_of(book)

    assert (rows, len(book.rows(webhook_keys.notices("qlvb")))) == (0, 0)
    assert [(n.kind, n.count) for n in look.notices] == [(NoticeKind.LOOK, 521)]
    assert view(book).swallowed == 521
    take(book)
    arrive(book, 1)
    assert [n.kind for n in take(book).notices] == [NoticeKind.ARRIVED]


def test_a_look_that_was_on_its_way_does_not_cover_what_came_meanwhile() -> None:
    book = Book()
    book.do(lambda tx: notices.follow(tx, {"qlvb": HOOK}, NOW))
    first = batch_of(book)
    arrive(book, 1)
    book.do(lambda tx: notices.taken(tx, first, NOW))
    second = take(book)

    assert [n.kind for n in second.notices] == [NoticeKind.LOOK]
    assert message_of(first, "h49", NOW).message_id != message_of(second, "h49", NOW).message_id
    assert due(book) == []


def test_failures_put_off_longer_and_longer_and_a_success_forgets_them() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    now_ms, pauses = NOW, []
    for _ in range(9):
        fail(book, now_ms)
        pauses.append(view(book).next_attempt_ms - now_ms)
        assert due(book, now_ms) == []
        now_ms = view(book).next_attempt_ms
        assert due(book, now_ms) == ["qlvb"]

    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]
    assert (view(book).reason, view(book).detail) == (Reason.HOOK_REFUSED, "HTTP 500")
    take(book, now_ms=now_ms)
    assert (view(book).failures, view(book).first_failure_ms, view(book).last_success_ms) == (0, 0, now_ms)


def test_an_address_that_names_a_time_is_left_alone_so_long_but_not_for_ever() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    fail(book, pause_ms=90_000)
    assert view(book).next_attempt_ms == NOW + 90_000
    fail(book, pause_ms=10**9)
    assert view(book).next_attempt_ms == NOW + notices.PUT_OFF_MS_MAX


def test_a_clock_that_was_set_back_does_not_hold_up_what_was_put_off() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    fail(book)

    assert due(book, NOW - 6 * 60 * MINUTE_MS) == ["qlvb"]


def give_up(book: Book) -> int:
    now_ms = NOW
    while fail(book, now_ms):
        now_ms = max(view(book).next_attempt_ms, now_ms + 1)
    return now_ms


def test_after_three_days_the_telling_is_given_up_visibly_and_costs_no_rows_any_more() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    ended_ms = give_up(book)
    for number in range(100):
        arrive(book, number)
    seen = view(book)

    assert 3 * DAY_MS < ended_ms - NOW < 3 * DAY_MS + 60 * MINUTE_MS
    assert (seen.given_up_ms, seen.swallowed, seen.next_attempt_ms) == (ended_ms, 101, 0)
    assert (due(book, ended_ms + DAY_MS), book.do(lambda tx: notices.batch(tx, "qlvb"))) == ([], None)
    assert len(book.rows(webhook_keys.HOOKS)) == 3, "the head and its two units"


def test_set_again_it_goes_on_with_a_look_for_all_that_was_missed() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    ended_ms = give_up(book)
    arrive(book, 2)
    book.do(lambda tx: notices.follow(tx, {"qlvb": replace(HOOK, set_ms=8)}, ended_ms))

    assert due(book, ended_ms) == ["qlvb"]
    assert [(n.kind, n.count) for n in take(book).notices] == [(NoticeKind.LOOK, 2)]


def test_a_jump_of_the_clock_alone_gives_nothing_up() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    assert fail(book)
    assert fail(book, NOW + 30 * DAY_MS)
    assert view(book).given_up_ms == 0


def test_what_the_old_address_took_or_refused_does_not_count_for_the_new_one() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    old = batch_of(book)
    book.do(lambda tx: notices.follow(tx, {"qlvb": replace(HOOK, set_ms=8)}, NOW))
    book.do(lambda tx: notices.taken(tx, old, NOW))
    book.do(lambda tx: notices.not_taken(tx, old, Reason.HOOK_REFUSED, "", NOW, 0, 0.5, POLICY))

    assert (view(book).waiting, view(book).failures) == (1, 0)
    assert batch_of(book).set_ms == 8


def test_a_hook_that_goes_leaves_nothing_and_units_follow_the_system() -> None:
    book = followed(HOOK)
    arrive(book, 1)
    book.do(lambda tx: notices.follow(tx, {"qlvb": replace(HOOK, units=frozenset({"H49", "H49.23"}))}, NOW))
    arrive(book, 2)
    arrive(book, 3, "H49.23")
    assert [n.packet_id[-1] for n in batch_of(book).notices] == [1, 3]
    late = batch_of(book)
    book.do(lambda tx: notices.follow(tx, {}, NOW))
    book.do(lambda tx: notices.taken(tx, late, NOW))

    assert book.rows(b"") == {}


# --- the node and its notifier ----------------------------------------------------------------------------------------


class Address:
    """The port Hooks, whose address does what the test says."""

    def __init__(self, *hooks: Hook) -> None:
        self.hooks = {one.system: one for one in hooks}
        self.heard: list[Any] = []
        self.fault: Exception | None = None

    def all(self) -> dict[str, Hook]:
        return self.hooks

    async def post(self, system: str, message: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.heard += [{"system": system, **notice} for notice in json.loads(message.body)["notices"]]

    def kinds(self) -> list[str]:
        return [notice["kind"] for notice in self.heard]


async def settle(notifier: Notifier) -> None:
    """Let the notifier do all that is due."""
    while True:
        await notifier.work()
        if not notifier._telling:
            return
        await notifier._telling[next(iter(notifier._telling))]


def told_of(here: Place, address: Address) -> Notifier:
    return here.notifier(address)


def hook_of(here: Place) -> Hook:
    return Hook(here.system.name, here.system.units, 1)


def test_a_packet_in_the_inbox_is_told_with_ids_and_nothing_else() -> None:
    async def story() -> None:
        here = place("h49")
        address = Address(hook_of(here))
        notifier = told_of(here, address)
        await settle(notifier)
        await here.push(push_of(document("H49.22", subject="Mật")))
        await settle(notifier)
        [entry] = await here.inbox()
        assert address.kinds() == ["inbox.look", "inbox.arrived"]
        assert set(address.heard[1]) == {"system", "id", "kind", "unit", "packet_id", "time_ms"}
        assert (address.heard[1]["unit"], address.heard[1]["packet_id"]) == ("H49.22", entry.packet_id.hex())
        await here.push(push_of(document("H49.22", subject="Mật")))
        await settle(notifier)
        assert len(address.heard) == 2, "the same packet again is no event"

    run(story())


def test_the_sender_is_told_how_its_delivery_ended_and_of_each_status() -> None:
    async def story() -> None:
        here = place("h49")
        address = Address(hook_of(here))
        notifier = told_of(here, address)
        await settle(notifier)
        sent = await here.submit(document("H49.22", sender="H49"))
        await here.submit(status_about("123", "03", author="H49"), "2")
        await settle(notifier)
        told = sorted(
            (one["kind"], one["unit"]) for one in address.heard if one.get("packet_id") == sent.packet_id.hex()
        )
        assert told == [("delivery.ended", "H49.22"), ("inbox.arrived", "H49.22"), ("status.reported", "H49.22")]

    run(story())


def test_a_delivery_that_expires_is_told_too() -> None:
    async def story() -> None:
        here = place("g14")
        address = Address(hook_of(here))
        notifier = told_of(here, address)
        await settle(notifier)
        await here.submit(document("H49.22"))
        here.clock.at_ms += 40 * DAY_MS
        await here.sweeper().sweep_once()
        await settle(notifier)
        assert (address.kinds()[-1], address.heard[-1]["unit"]) == ("delivery.ended", "H49.22")

    run(story())


def test_an_address_that_fails_is_tried_again_when_its_time_comes_and_holds_up_no_other() -> None:
    async def story() -> None:
        here = place("h49")
        address = Address(hook_of(here))
        notifier = told_of(here, address)
        address.fault = Deferred(Reason.HOOK_UNREACHABLE, "away")
        await settle(notifier)
        await here.push(push_of(document("H49.22")))
        await settle(notifier)
        assert len(await here.inbox()) == 1
        [seen] = await here.node.list_hooks()
        assert (seen.failures, seen.reason, seen.detail) == (1, Reason.HOOK_UNREACHABLE, "away")
        address.fault = None
        await settle(notifier)
        assert address.heard == [], "its time has not come"
        here.clock.at_ms = seen.next_attempt_ms
        await settle(notifier)
        assert address.kinds() == ["inbox.look"]

    run(story())


def test_a_mistake_of_ours_is_reported_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = place("h49")
        address, bugs = Address(hook_of(here)), list[Exception]()
        notifier = told_of(here, address)
        here.node.signals.bug.connect(bugs.append)
        monkeypatch.setattr("node.flow.webhooks.notifier.LOOK_S", 0.0)
        address.fault = AssertionError("ours")
        await settle_once(notifier)
        assert [str(bug) for bug in bugs] == ["ours"]
        address.fault = None
        await settle(notifier)
        assert address.kinds() == ["inbox.look"]

    async def settle_once(notifier: Notifier) -> None:
        await notifier.work()
        await notifier._telling[next(iter(notifier._telling))]

    run(story())
