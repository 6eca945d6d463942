"""Nodes with something taken out, to see that the simulation notices (a simulator that finds nothing may be blind).

Each mutant is a context manager that changes the real code while a seed runs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from unittest.mock import patch
from weakref import WeakKeyDictionary

from node.flow import backoff
from node.flow.agreed_time import AgreedTime
from node.flow.document import status
from node.flow.duties import duty
from node.flow.expiry import retention, sweep, walk
from node.flow.expiry.sweeper import Sweeper
from node.flow.inbox import inbox
from node.flow.loop import Tasks
from node.flow.receive import accept, arrival, verify
from node.flow.send import outbox, receipts, reroute, settling, turns
from node.flow.send.hello import Greeter
from node.flow.submit import store
from node.flow.webhooks import notices
from node.model.delivery import State
from node.model.directory import Directory, NodeEntry
from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.mesh import Parcel
from node.model.reason import Reason
from node.model.receipt import Receipt
from node.model.webhook import Batch
from node.ports import Tx
from node.rows import webhook_keys
from tests.sim.disk import Disk, SimStore
from tests.sim.loop import Process
from tests.sim.poison import Poison

T = TypeVar("T")


class HastyStore(SimStore):
    """A store that answers before anything is durable: law 1 taken out of the answer path."""

    def __init__(self, disk: Disk, process: Process) -> None:
        super().__init__(disk, process)
        self._begun: list[asyncio.Task[Any]] = []

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run a transaction and let the disk sync when it likes."""
        results: list[T] = []

        def noted(tx: Tx) -> T:
            results.append(fn(tx))
            return results[-1]

        task = self._process.start(super().transact(noted))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        self._process.check_alive()
        return results[-1] if results and not task.done() else await task


@contextmanager
def receipts_without_storing() -> Iterator[None]:
    """A node that signs for packets which it does not put into the inbox."""
    with patch.object(inbox, "put", lambda *_: None):
        yield


@contextmanager
def no_memory_of_packets() -> Iterator[None]:
    """A node that decides anew about every copy of a packet."""
    real = accept._store_one

    def anew(*args: Any, is_new: bool) -> Any:
        return real(*args, is_new=True)

    with patch.object(accept, "_store_one", anew):
        yield


@contextmanager
def no_memory_of_submissions() -> Iterator[None]:
    """A node that takes a repeated submission for a new one."""
    with patch.object(store, "repeat_of", lambda *_: None):
        yield


@contextmanager
def custody_is_delivery() -> Iterator[None]:
    """An origin that lets go of a packet as soon as a relay has it."""

    def let_go(tx: Tx, believed: receipts.Believed, node_id: str, until_ms: int) -> None:
        outbox.settle(tx, node_id, believed.receipt.packet_id, 1)

    with patch.object(receipts, "apply_custody", let_go):
        yield


@contextmanager
def statuses_lost() -> Iterator[None]:
    """A node that forgets to write statuses beside their document."""
    with patch.object(status, "record", lambda tx, envelope, header, author, now_ms: (author, envelope.sender_unit)):
        yield


@contextmanager
def acknowledged_comes_back() -> Iterator[None]:
    """An inbox that forgets what was acknowledged when a copy of the packet comes."""
    with patch.object(inbox, "_acknowledge", lambda *_: 1):
        yield


@contextmanager
def rows_forgotten_when_put_off() -> Iterator[None]:
    """A courier that drops what could not be delivered at once."""

    def drop(tx: Tx, node_id: str, packet_id: bytes, kind: int, *_: object, **__: object) -> bool:
        return outbox.settle(tx, node_id, packet_id, kind)

    with patch.object(outbox, "put_off", drop):
        yield


@contextmanager
def tombstone_ignored() -> Iterator[None]:
    """A node that shows what comes late although its author has taken it back or replaced it."""
    with patch.object(arrival._Case, "_is_held_back", lambda self: False):
        yield


@contextmanager
def read_is_not_remembered() -> Iterator[None]:
    """A node that takes a document back for a unit that has read it."""
    with patch.object(inbox, "was_given_out", lambda entry: False):
        yield


@contextmanager
def duty_not_durable() -> Iterator[None]:
    """A node whose duty loop keeps what is owed in its head: the rows go when it looks at them, before anything is submitted."""
    real = duty.due

    def look(tx: Tx, now_ms: int, limit: int) -> tuple[list[duty.Duty], int | None]:
        found, next_ms = real(tx, now_ms, limit)
        duty.done(tx, [one.key for one in found])
        return found, next_ms

    with patch.object(duty, "due", look):
        yield


@contextmanager
def answer_attributed_to_nothing() -> Iterator[None]:
    """A node that lets its units' answers name no request."""
    with patch.object(store, "requests_answered", lambda tx, drafts: [b"" for _ in drafts]):
        yield


@contextmanager
def waits_for_ever() -> Iterator[None]:
    """A node that never shows what waits for a document that does not come."""
    with patch.object(arrival, "show_what_waited", lambda *_: (0, False)):
        yield


@contextmanager
def author_without_an_order() -> Iterator[None]:
    """An author's node that signs with its clock's time, whatever it has signed about the document before."""
    with patch.object(store.dossier, "newest_ms", lambda *_: 0):
        yield


@contextmanager
def notice_not_durable() -> Iterator[None]:
    """A node whose notifier keeps what it is telling in its head: the rows go when it looks at them, before anything is told."""
    real, forget = notices.batch, notices.taken

    def look(tx: Tx, system: str) -> Batch | None:
        found = real(tx, system)
        if found is not None:
            forget(tx, found, found.notices[-1].time_ms)
        return found

    settled = patch.multiple(notices, taken=lambda *_: None, not_taken=lambda *_: True)
    with patch.object(notices, "batch", look), settled:
        yield


@contextmanager
def batch_made_up_anew() -> Iterator[None]:
    """A node that tells at every attempt what waits just then, under another id: the receiver cannot drop what it has."""

    def widest(tx: Tx, system: str) -> Batch | None:
        head = notices.load(tx, webhook_keys.hook(system), notices.HookRecord)
        if head is not None:
            head.batch_through = 0
            notices.save(tx, webhook_keys.hook(system), head)
        return real(tx, system)

    real = notices.batch
    with patch.object(notices, "batch", widest):
        yield


@contextmanager
def look_covers_what_comes_after() -> Iterator[None]:
    """A node that takes a LOOK which was on its way for having told of what happened meanwhile."""
    real = notices.taken

    def taken(tx: Tx, told: Batch, now_ms: int) -> None:
        head = notices.load(tx, webhook_keys.hook(told.system), notices.HookRecord)
        if head is not None and told.is_look:
            head.look_number = told.through
            notices.save(tx, webhook_keys.hook(told.system), head)
        real(tx, told, now_ms)

    with patch.object(notices, "taken", taken):
        yield


@contextmanager
def statuses_never_erased() -> Iterator[None]:
    """A node that erases a packet and leaves what was reported of it."""
    real = retention._erase_rows

    def erase_rows(tx: Tx, prefix: bytes) -> bool:
        return prefix.startswith(b"t") or real(tx, prefix)

    with patch.object(retention, "_erase_rows", erase_rows):
        yield


@contextmanager
def receipts_kept_for_nobody() -> Iterator[None]:
    """A relay that never asks whether anybody still needs what it has carried home or could not carry."""
    with patch.object(sweep, "erase", lambda tx, item, now_ms, policy: tx.delete(item.key) or False):
        yield


@contextmanager
def aliases_read_at_home() -> Iterator[None]:
    """A recipient's node that reads a packet by what it knows itself of aliases (here: nothing), not by what the origin has signed."""
    real = arrival.deeds_of
    with patch.object(arrival, "deeds_of", lambda header, aliases: real(header, {})):
        yield


@contextmanager
def expires_by_its_own_word() -> Iterator[None]:
    """An author's node that says EXPIRED for good when the time is over, without having asked the recipient's."""
    real = sweep.expired_receipt

    def expired_receipt(*args: Any) -> Receipt | None:
        receipt = real(*args)
        if receipt is None:
            return None
        return replace(receipt, outcomes=tuple(replace(one, reason=Reason.EXPIRED) for one in receipt.outcomes))

    with patch.object(sweep, "expired_receipt", expired_receipt):
        yield


@contextmanager
def delivered_never_supersedes() -> Iterator[None]:
    """An author's node that stays with an expiry which nobody has confirmed, although the recipient's node says that it has the packet."""
    with patch.object(receipts, "is_over", lambda record: State(record.state).is_final):
        yield


@contextmanager
def urgent_last() -> Iterator[None]:
    """A courier that fills its pushes from the least urgent lane that waits."""
    real = turns.mix

    def mix(lanes: Mapping[Lane, Sequence[outbox.Row]], *rest: Any) -> tuple[list[outbox.Row], int]:
        last = max(lanes, default=None)
        return real({lane: rows for lane, rows in lanes.items() if lane is last}, *rest)

    with patch.object(turns, "mix", mix):
        yield


@contextmanager
def greets_once() -> Iterator[None]:
    """A node that greets each peer once and then rests for ever: the loop has not ended, so nobody begins it again."""
    real = Greeter._hello

    async def hello(self: Greeter, peer: NodeEntry) -> None:
        await real(self, peer)
        await asyncio.Event().wait()

    with patch.object(Greeter, "_hello", hello):
        yield


@contextmanager
def sweeper_gives_up() -> Iterator[None]:
    """A node whose sweeper does its chores twice and then rests for ever."""
    real, looks = Sweeper.sweep_once, WeakKeyDictionary[Sweeper, int]()

    async def sweep_once(self: Sweeper) -> int:
        looks[self] = looks.get(self, 0) + 1
        if looks[self] > 2:
            await asyncio.Event().wait()
        return await real(self)

    with patch.object(Sweeper, "sweep_once", sweep_once):
        yield


@contextmanager
def loops_end() -> Iterator[None]:
    """A node whose greeting of a peer ends by a mistake of our own, and that begins no loop again."""

    real = Greeter._hello

    async def greet(self: Greeter, node_id: str) -> None:
        await self._greet(node_id)  # whatever it raises, it is over

    async def hello(self: Greeter, peer: NodeEntry) -> None:
        await real(self, peer)
        raise Poison(peer.node_id)

    def supervise(self: Tasks, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        return self.spawn(make())

    with (
        patch.object(Tasks, "supervise", supervise),
        patch.object(Greeter, "greet", greet),
        patch.object(Greeter, "_hello", hello),
    ):
        yield


@contextmanager
def refused_and_kept() -> Iterator[None]:
    """A node that refuses packets by its receipt, and puts them into the inbox all the same."""
    everybody = property(lambda self: [outcome.unit for outcome in self.receipt.outcomes])
    with patch.object(verify.Verdict, "accepted_units", everybody):
        yield


@contextmanager
def takes_for_others() -> Iterator[None]:
    """A node that puts a packet into the inboxes of all its recipients, and not only of those that it serves."""
    real = inbox.put

    def put(tx: Tx, envelope: Envelope, unit: str, now_ms: int) -> None:
        for one in (unit, *envelope.recipient_units):
            real(tx, envelope, one, now_ms)

    with patch.object(inbox, "put", put):
        yield


@contextmanager
def never_backs_off() -> Iterator[None]:
    """A node that tries again at once, whatever it was told: a peer that does not answer, an item that was put off."""
    with patch.object(backoff, "pause_ms", lambda *_: 300), patch.object(settling, "item_pause_ms", lambda *_: 300):
        yield


@contextmanager
def reroutes_without_asking() -> Iterator[None]:
    """An author's node that sends what it has sent to a unit's former node to the new one, too, without having asked."""
    with patch.object(reroute.Sent, "may_be", lambda *_: False):
        yield


@contextmanager
def wrong_dates_stay() -> Iterator[None]:
    """A node that leaves what a clock which was ahead has dated as it is."""
    with patch.dict(walk.DATES, clear=True):
        yield


@contextmanager
def takes_what_goes_elsewhere() -> Iterator[None]:
    """A node that takes a packet for all recipients whom it serves by its own directory, and not only for those for whom it was sent."""
    real = verify.units_served_by

    def served(envelope: Envelope, parcel: Parcel, directory: Directory) -> list[str]:
        return real(envelope, replace(parcel, for_units=()), directory)

    with patch.object(verify, "units_served_by", served):
        yield


@contextmanager
def dates_are_taken_as_they_are() -> Iterator[None]:
    """A node that takes a packet for as old as the clock said which dated it, though it was made later than that."""
    with patch.object(retention, "taken_ms", lambda subject, now_ms: subject.packet.accept_time_ms):
        yield


@contextmanager
def believes_its_own_clock() -> Iterator[None]:
    """A node that ends things by what its clock says, whatever the others' say."""
    with patch.object(AgreedTime, "doubt", lambda self: None):
        yield


@contextmanager
def first_receipt_for_ever() -> Iterator[None]:
    """A node that gives its first receipt for a packet, whoever else of its units the packet comes for later."""
    with patch.object(accept, "open_units", lambda *_: []):
        yield
