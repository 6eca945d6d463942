"""The laws of a document's life (decision 0006), checked at rest from the outside: from what offices were told and saw in inboxes.

author and recipient agree about every document            every request has an answer that its author sees
a node agrees (15) only to what nobody had read, and       a document that was taken back or replaced unread is in no inbox,
what it has agreed to nobody reads afterwards              and no late copy comes after what takes it back
a node reports each arrival once (01)                      nothing is owed and nothing waits for ever
"""

from dataclasses import dataclass

from node.errors import Fault
from node.model.delivery import State
from node.model.life import Dossier, LifeAct, LifeState
from node.model.office import DeliveryView
from node.model.reason import Reason
from node.model.status import StatusEvent, shown_status
from node.ports import Tx
from node.rows import keys, webhook_keys
from node.rows.records import InboxRecord
from tests.sim.ledger import Ledger, Sent
from tests.sim.world import World

REQUESTS = (LifeAct.WITHDRAW, LifeAct.ASK_BACK, LifeAct.DROP)


@dataclass
class Life:
    """One document at one recipient, as its author has been told of it."""

    author: str
    document_id: str
    unit: str
    acts: list[Sent]
    """The author's packets about it that went to this unit, in the author's order."""
    views: dict[bytes, DeliveryView]
    """Track's words on each of them here, by packet id."""

    def does(self, sent: Sent) -> str:
        """Tell what a packet does to the document here."""
        return sent.does(self.unit, self.document_id)

    def state(self, sent: Sent) -> State:
        """How the packet's delivery ended."""
        return self.views[sent.result.packet_id].state

    @property
    def own(self) -> list[DeliveryView]:
        """Views of the document's own packets: a packet that replaces it is shown with its own document."""
        return [self.views[s.result.packet_id] for s in self.acts if s.paper.document_id == self.document_id]

    @property
    def events(self) -> list[StatusEvent]:
        """All statuses of the unit's that its author sees with the document."""
        return [event for view in self.own for event in view.statuses]

    def answers(self, sent: Sent) -> set[str]:
        """Codes with which the unit has answered a packet."""
        return {e.code for e in self.events if e.answers_packet_id == sent.result.packet_id}

    def after(self, sent: Sent) -> list[Sent]:
        """The author's later acts."""
        return self.acts[self.acts.index(sent) + 1 :]


def lives_of(ledger: Ledger) -> list[Life]:
    """Return every document at every recipient."""
    found = []
    documents = dict.fromkeys((s.paper.sender, s.paper.document_id) for s in ledger.sent.values() if not s.is_report)
    for author, document_id in documents:
        acts = ledger.acts(author, document_id)
        views = {s.result.packet_id: {d.unit: d for d in ledger.views[s.result.packet_id].deliveries} for s in acts}
        for unit in dict.fromkeys(unit for by_unit in views.values() for unit in by_unit):
            here = [s for s in acts if unit in views[s.result.packet_id]]
            shown = {s.result.packet_id: views[s.result.packet_id][unit] for s in here}
            found.append(Life(author, document_id, unit, here, shown))
    return found


async def check_lives(world: World, ledger: Ledger, *, clocks_jump: bool) -> None:
    """Check all of it; what does not hold is noted in the ledger."""
    for life in lives_of(ledger):
        if world.book.changes(life.author) or world.book.changes(life.unit):
            continue  # what moves with a unit that moves is said where units move; until then nothing is asked
        dossier = await _dossier(world, life)
        _check_reports(ledger, life)
        _check_requests(ledger, life)
        _check_arrivals(world, ledger, life)
        _check_agreement(ledger, life, dossier)
        if dossier is not None and not clocks_jump:
            _check_tombstones(ledger, life, dossier)
    for name in world.machines:
        if left := await owes(world, name):
            ledger.breaks("life", f"{name}: at rest it still owes or holds {left}")


async def _dossier(world: World, life: Life) -> Dossier | None:
    machine = world.machine_of(life.unit)
    assert machine.process is not None
    system = world.system_for(machine.name, life.unit)
    try:
        question = machine.node.dossier(system, life.unit, life.author, life.document_id)
        found: Dossier = await machine.process.call(question, 30.0)
        return found
    except Fault as fault:
        if fault.reason is not Reason.NOT_FOUND:
            raise
        return None


def _check_agreement(ledger: Ledger, life: Life, dossier: Dossier | None) -> None:
    """Author and recipient say the same, but where a receipt was lost for ever or the recipient's node refuses everything."""
    if not life.own or State.FAILED in {view.state for view in life.views.values()}:
        return
    told = {view.life for view in life.own}
    theirs = dossier.life if dossier is not None else LifeState.ABSENT
    if told != {theirs}:
        shown = sorted(one.name for one in told)
        ledger.breaks("life", f"{life.document_id} at {life.unit}: author sees {shown}, recipient {theirs.name}")


def _check_requests(ledger: Ledger, life: Life) -> None:
    """A recipient that is asked answers, and the author sees which request that answers. The node answers only for what nobody has read."""
    for sent in life.acts:
        if life.does(sent) != "take back" or life.state(sent) is not State.DELIVERED:
            continue
        name = f"{sent.paper.submission_id} for {life.unit}"
        if not life.answers(sent) & {"15", "16"}:
            ledger.breaks("life", f"{name}: {sent.paper.kind_of_act} was delivered and has no outcome")
        if any(e.answers_packet_id == sent.result.packet_id and _by_node(ledger, life, e) for e in life.events):
            _check_unread(ledger, life, sent)


def _check_unread(ledger: Ledger, life: Life, request: Sent) -> None:
    """Nobody has read what the node agreed to give back since the last time that the document was given back, nor reads it now."""
    older = life.acts[: life.acts.index(request)]
    ends = [at for at, sent in enumerate(older) if life.does(sent) == "take back" and "15" in life.answers(sent)]
    for sent in older[ends[-1] + 1 if ends else 0 :]:
        received = ledger.received.get((life.unit, sent.result.packet_id))
        if life.does(sent) in ("bring", "update") and received is not None and received.fetched:
            ledger.breaks("life", f"{sent.paper.submission_id} at {life.unit}: read, and given back as unread")


def _by_node(ledger: Ledger, life: Life, event: StatusEvent) -> bool:
    return (life.author, event.packet_id) in ledger.made_by_nodes


def _check_arrivals(world: World, ledger: Ledger, life: Life) -> None:
    """For each packet that brought the document into the inbox one 01, unless the unit's software reports it."""
    reported = sum(event.code == "01" and _by_node(ledger, life, event) for event in life.events)
    bringing = [s for s in life.acts if life.does(s) == "bring"]
    seen = sum((life.unit, s.result.packet_id) in ledger.received for s in bringing)
    delivered = sum(life.state(s) is State.DELIVERED for s in bringing)
    least, most = (min(seen, delivered), len(bringing)) if world.policy.reports_arrival(life.unit) else (0, 0)
    if not least <= reported <= most:
        ledger.breaks(
            "life", f"{life.document_id} at {life.unit}: {reported} arrivals reported, {least} to {most} expected"
        )


def _check_reports(ledger: Ledger, life: Life) -> None:
    """Every status that the unit's software reported shows at the author, and the furthest one is what the view shows (I7)."""
    shown = sorted(event.code for event in life.events if not _by_node(ledger, life, event))
    wanted = sorted(
        sent.paper.status_code
        for sent in ledger.statuses_sent()
        if (sent.paper.document_id, sent.paper.sender) == (life.document_id, life.unit)
    )
    if shown != wanted:
        ledger.breaks("I7", f"{life.document_id} at {life.unit}: {shown} shown, {wanted} reported")
    for view in life.own:
        if view.status_code != shown_status(event.code for event in view.statuses):
            ledger.breaks("I7", f"{life.document_id} at {life.unit}: {view.status_code} is not the furthest")


def _check_tombstones(ledger: Ledger, life: Life, dossier: Dossier) -> None:
    """A packet that came after a newer act which takes it back is in the inbox only if the unit had read the document, or had refused."""
    place = {entry.packet_id: at for at, entry in enumerate(dossier.entries)}
    order = {sent.result.packet_id: at for at, sent in enumerate(life.acts)}
    for late in life.acts:
        packet_id = late.result.packet_id
        if life.does(late) not in ("bring", "update") or packet_id not in place:
            continue
        before = [s for s in life.after(late) if place.get(s.result.packet_id, len(place)) < place[packet_id]]
        taking = [s for s in before if life.does(s) == "take back" and "16" not in life.answers(s)]
        had_read = any(
            (received := ledger.received.get((life.unit, name))) is not None and received.fetched
            for name in order
            if name != packet_id
        )
        if taking and not had_read and (life.unit, packet_id) in ledger.received:
            by = taking[0].paper.submission_id
            ledger.breaks(
                "life", f"{late.paper.submission_id} at {life.unit}: came after {by} and was shown all the same"
            )


def excuses(world: World, life: Life, sent: Sent) -> bool:
    """Tell whether a delivered packet may never have been in the unit's inbox, or have gone from it unread.

    A unit that has moved may have answered, and its author have been told, at another node than the one that is asked.
    """
    moved = world.book.changes(life.author) or world.book.changes(life.unit)

    def agrees(request: Sent) -> bool:
        return "15" in life.answers(request) or (moved and life.state(request) is State.DELIVERED)

    act = life.does(sent)
    if act == "take back":
        return agrees(sent)
    if act == "":
        return True
    return any(
        (life.does(later) == "take back" and agrees(later))
        or (life.does(later) == "replace" and life.state(later) is State.DELIVERED)
        for later in life.after(sent)
    )


async def owes(world: World, name: str) -> list[str]:
    """Return what a node owes in its units' names, whom it has to tell of something, and what waits there for its document."""
    machine = world.machines[name]
    if machine.process is None:
        return ["its process"]

    def look(tx: Tx) -> list[str]:
        owed = [f"duty {key.hex()}" for key, _ in tx.scan(keys.DUTIES, limit=10)]
        owed += [
            f"notices to {webhook_keys.system_of_due(key)}" for key, _ in tx.scan(webhook_keys.HOOKS_DUE, limit=10)
        ]
        for key, _ in tx.scan(keys.HELD, limit=50):
            entries = tx.scan(keys.inbox_entry(keys.packet_of_row(key)), limit=50)
            if any(InboxRecord.FromString(value).waits_for for _, value in entries):
                owed.append(f"packet {keys.packet_of_row(key).hex()}")
        return owed

    found: list[str] = await machine.process.call(machine.node.ports.store.transact(look), 30.0)
    return found
