"""Notices: the duty to tell a system of an event, written in the same transaction as the event, kept until the system has heard it.

    event (in its own transaction) -> notice row -> batch -> [durable] -> POST -> taken: rows go
                                           |                                '---> not taken: due again later (back-off)
                                           '-- too many wait, or the telling was given up: one "look into your inbox" for all of them

A dead address costs a bounded number of rows and holds up nothing. Notices are told in order, a batch at a time, one batch in flight
per system; order among units is not promised. A batch is made up once, durably, before it is first sent: a repeat after a crash has the
same content and the same id, by which the receiver drops it (sent at least once, taken once). A table of its own says when each system
is due, so nothing is searched for at start-up.

A LOOK does not cover what happens while it is on its way: then it is told again, with another id.
"""

from collections.abc import Iterable, Mapping

from node.flow import backoff
from node.model.policy import DAY_MS, MINUTE_MS, Policy
from node.model.reason import Reason
from node.model.webhook import Batch, Hook, HookView, Notice, NoticeKind
from node.ports import Tx
from node.rows import keys, webhook_keys
from node.rows.access import load, save
from node.rows.records import HookedRecord, HookRecord, NoticeRecord, PacketRecord

NOTICES_MAX = 1_000
"""At most so many notices wait one by one; with one more they become a single LOOK."""
BATCH_MAX = 50
GIVE_UP_AFTER_MS, GIVE_UP_FAILURES_MIN = 3 * DAY_MS, 20
"""An address that has failed for so long, and so often (a clock may jump), is told nothing more until it is set again."""
PUT_OFF_MS_MAX = 60 * MINUTE_MS
DETAIL_CHARACTERS_MAX = 200
PAGE = 1_000


# --- events: called within the transaction in which they happen -----------------------------------------------------


def arrived(tx: Tx, unit: str, packet_id: bytes, now_ms: int) -> None:
    """Note that a packet is in a unit's inbox now."""
    hooked = load(tx, webhook_keys.hooked(unit), HookedRecord)
    for system in hooked.systems if hooked is not None else ():
        _owe(tx, system, NoticeKind.ARRIVED, unit, packet_id, now_ms)


def happened_to(tx: Tx, packet_id: bytes, kind: NoticeKind, units: Iterable[str], now_ms: int) -> None:
    """Note that something has happened to a packet that was submitted here: ENDED or REPORTED, at these recipients."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or not packet.system:
        return
    for unit in units:
        _owe(tx, packet.system, kind, unit, packet_id, now_ms)


def _owe(tx: Tx, system: str, kind: NoticeKind, unit: str, packet_id: bytes, now_ms: int) -> None:
    head = load(tx, webhook_keys.hook(system), HookRecord)
    if head is None:
        return
    head.last_number += 1
    if head.given_up_ms or head.look_number:
        _swallow(head, 1, now_ms)
    elif head.waiting >= NOTICES_MAX:
        _swallow(head, 1 + _drop_rows(tx, system, head), now_ms)
    else:
        record = NoticeRecord(kind=kind, unit=unit, packet_id=packet_id, time_ms=now_ms)
        save(tx, webhook_keys.notice(system, head.last_number), record)
        head.waiting += 1
    if not head.due_ms and not head.given_up_ms:
        _arm(tx, system, head, now_ms)
    save(tx, webhook_keys.hook(system), head)


def _swallow(head: HookRecord, count: int, now_ms: int) -> None:
    head.look_number, head.look_ms = head.last_number, now_ms
    head.swallowed += count


def _drop_rows(tx: Tx, system: str, head: HookRecord) -> int:
    """Remove all notices that wait one by one; return how many they were."""
    for key, _ in tx.scan(webhook_keys.notices(system), limit=NOTICES_MAX + 1):
        tx.delete(key)
    dropped = head.waiting
    head.waiting = 0
    return dropped


def _arm(tx: Tx, system: str, head: HookRecord, due_ms: int) -> None:
    """Let a system be due at a time, or not at all (0)."""
    if head.due_ms:
        tx.delete(webhook_keys.hook_due(head.due_ms, system))
    head.due_ms = max(due_ms, 0)
    if head.due_ms:
        tx.put(webhook_keys.hook_due(head.due_ms, system), b"")


# --- what the operator has set --------------------------------------------------------------------------------------


def follow(tx: Tx, hooks: Mapping[str, Hook], now_ms: int) -> None:
    """Let the store follow what the operator has set: new hooks begin with a LOOK, those set anew go on at once, others go."""
    for system in names(tx):
        if system not in hooks:
            _forget(tx, system)
    for system, hook in hooks.items():
        _follow_one(tx, system, hook, now_ms)
    _follow_units(tx, hooks)


def names(tx: Tx) -> list[str]:
    """Return the systems that have a hook here, by leaping from one to the next (never through their notices)."""
    found = []
    start = webhook_keys.HOOKS + b"\1"
    while rows := tx.scan(webhook_keys.HOOKS, start=start, limit=1):
        found.append(webhook_keys.system_of_hook(rows[0][0]))
        start = webhook_keys.after_hook(found[-1])
    return found


def _follow_one(tx: Tx, system: str, hook: Hook, now_ms: int) -> None:
    head = load(tx, webhook_keys.hook(system), HookRecord)
    if head is None:
        # Nobody was told of what happened before, so the first notice says to look.
        head = HookRecord(set_ms=hook.set_ms, last_number=1)
        _swallow(head, 0, now_ms)
    elif head.set_ms == hook.set_ms:
        return
    head.set_ms, head.told = hook.set_ms, 0
    head.failures = head.first_failure_ms = head.given_up_ms = head.reason = 0
    head.detail = ""
    if head.waiting or head.look_number:
        _arm(tx, system, head, now_ms)
    save(tx, webhook_keys.hook(system), head)


def _forget(tx: Tx, system: str) -> None:
    head = load(tx, webhook_keys.hook(system), HookRecord)
    assert head is not None
    _drop_rows(tx, system, head)
    _arm(tx, system, head, 0)
    tx.delete(webhook_keys.hook(system))


def _follow_units(tx: Tx, hooks: Mapping[str, Hook]) -> None:
    wanted: dict[str, list[str]] = {}
    for system in sorted(hooks):
        for unit in hooks[system].units:
            wanted.setdefault(unit, []).append(system)
    start = webhook_keys.HOOKED
    while rows := tx.scan(webhook_keys.HOOKED, start=start, limit=PAGE):
        for key, value in rows:
            systems = wanted.pop(webhook_keys.unit_of_hooked(key), [])
            if not systems:
                tx.delete(key)
            elif list(HookedRecord.FromString(value).systems) != systems:
                save(tx, key, HookedRecord(systems=systems))
        start = rows[-1][0] + b"\0"
    for unit, systems in wanted.items():
        save(tx, webhook_keys.hooked(unit), HookedRecord(systems=systems))


# --- telling --------------------------------------------------------------------------------------------------------


def due(tx: Tx, now_ms: int, limit: int) -> tuple[list[str], int | None]:
    """Return systems that have to be told of something now, the longest due first; and when the next one is due, None if none is.

    A system that is due later than the longest pause was put off before the clock was set back, and is due as well.
    """
    first = tx.scan(webhook_keys.HOOKS_DUE, limit=limit)
    found = [key for key, _ in first if keys.due_of(key) <= now_ms]
    following = keys.due_of(first[len(found)][0]) if len(found) < len(first) else None
    far = webhook_keys.hooks_due_from(now_ms + PUT_OFF_MS_MAX + 1)
    found += [key for key, _ in tx.scan(webhook_keys.HOOKS_DUE, start=far, limit=limit - len(found))]
    return [webhook_keys.system_of_due(key) for key in found], following


def batch(tx: Tx, system: str) -> Batch | None:
    """Make up what a system is told next, or return the batch that was made up before a repeat or a restart; None: nothing."""
    head = load(tx, webhook_keys.hook(system), HookRecord)
    if head is None or head.given_up_ms:
        return None
    if head.look_number:
        look = Notice(head.look_number, NoticeKind.LOOK, "", b"", head.look_ms, head.swallowed)
        return Batch(system, head.set_ms, (look,))
    rows = tx.scan(webhook_keys.notices(system), limit=BATCH_MAX)
    assert rows, f"{system} is due and has nothing to be told"
    if webhook_keys.number_of_notice(rows[0][0]) > head.batch_through:
        head.batch_through = webhook_keys.number_of_notice(rows[-1][0])
        save(tx, webhook_keys.hook(system), head)
    notices = [_notice(key, value) for key, value in rows if webhook_keys.number_of_notice(key) <= head.batch_through]
    return Batch(system, head.set_ms, tuple(notices))


def _notice(key: bytes, value: bytes) -> Notice:
    record = NoticeRecord.FromString(value)
    kind = NoticeKind(record.kind)
    return Notice(webhook_keys.number_of_notice(key), kind, record.unit, record.packet_id, record.time_ms)


def taken(tx: Tx, told: Batch, now_ms: int) -> None:
    """Note that a system has taken a batch: its rows go."""
    head = load(tx, webhook_keys.hook(told.system), HookRecord)
    if head is None or head.set_ms != told.set_ms:
        return  # set anew meanwhile: the new address has not heard it
    if told.is_look:
        # If more was swallowed meanwhile, the number has risen and the LOOK is told again.
        if head.look_number == told.through:
            head.look_number = head.swallowed = head.look_ms = 0
    else:
        for key in (webhook_keys.notice(told.system, notice.number) for notice in told.notices):
            if tx.get(key) is not None:
                tx.delete(key)
                head.waiting -= 1
    head.told += len(told.notices)
    head.last_success_ms = now_ms
    head.failures = head.first_failure_ms = head.given_up_ms = head.reason = 0
    head.detail = ""
    _arm(tx, told.system, head, now_ms if head.waiting or head.look_number else 0)
    save(tx, webhook_keys.hook(told.system), head)


def not_taken(
    tx: Tx, told: Batch, reason: Reason, detail: str, now_ms: int, pause_ms_min: int, jitter: float, policy: Policy
) -> bool:
    """Note that a batch was not taken, to try again later. Returns False if it was tried long enough and the telling is given up."""
    head = load(tx, webhook_keys.hook(told.system), HookRecord)
    if head is None or head.set_ms != told.set_ms:
        return True  # set anew meanwhile: the failure is the old address's
    head.failures += 1
    head.reason, head.detail = reason, detail[:DETAIL_CHARACTERS_MAX]
    head.first_failure_ms = head.first_failure_ms or max(now_ms, 1)
    failing_for_ms = abs(now_ms - head.first_failure_ms)
    gives_up = failing_for_ms > GIVE_UP_AFTER_MS and head.failures >= GIVE_UP_FAILURES_MIN
    if gives_up:
        _swallow(head, _drop_rows(tx, told.system, head), now_ms)
        head.given_up_ms = max(now_ms, 1)
        _arm(tx, told.system, head, 0)
    else:
        pause_ms = max(backoff.pause_ms(head.failures, failing_for_ms, jitter, policy), pause_ms_min)
        _arm(tx, told.system, head, now_ms + min(pause_ms, PUT_OFF_MS_MAX))
    save(tx, webhook_keys.hook(told.system), head)
    return not gives_up


def views(tx: Tx) -> list[HookView]:
    """Return how the telling goes, in order of system."""
    return [_view(tx, system) for system in names(tx)]


def _view(tx: Tx, system: str) -> HookView:
    head = load(tx, webhook_keys.hook(system), HookRecord)
    assert head is not None
    return HookView(
        system=system,
        waiting=head.waiting,
        swallowed=head.swallowed,
        told=head.told,
        failures=head.failures,
        reason=Reason(head.reason),
        detail=head.detail,
        first_failure_ms=head.first_failure_ms,
        next_attempt_ms=head.due_ms,
        last_success_ms=head.last_success_ms,
        given_up_ms=head.given_up_ms,
    )
