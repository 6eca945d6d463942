"""Life: what has become of a document at one recipient, read off the packets that are known there. Pure.

A dossier is a set of facts (packets of the author's) and of answers (15, 16). Sets have no order of arrival, so both sides come to
the same opinion as soon as they know the same, whatever came late, twice or out of turn (decision 0006):

        the newest packet that brought the document begins its present life; older packets have no say in it.
        WITHDRAWN > REPLACED > WITHDRAWAL_ASKED > WITHDRAWAL_SENT > WITHDRAWAL_REFUSED > IN_FORCE (ABSENT without a document)

The author's order is `create_time_ms`, which its node makes strictly increasing within a dossier. Agreement (15) is final; a refusal
(16) after it changes nothing (QĐ 28/2018 Điều 9.2: a recipient that is told of a withdrawal cancels the document and says so).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from node.model.life import LifeAct, LifeState

REQUESTS = frozenset({LifeAct.WITHDRAW, LifeAct.ASK_BACK, LifeAct.DROP})
"""Acts that take the document back from a recipient. Both roads of the standard, and a dropped recipient, are one."""
AGREES, REFUSES = "15", "16"
Order = tuple[int, bytes]
"""The author's order of acts: when its node signed, then the packet id, which nobody chooses."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One packet of the author's, as far as it concerns one recipient. `has_arrived`: at the recipient's node."""

    packet_id: bytes
    act: LifeAct
    create_time_ms: int
    has_arrived: bool = True
    taken_unread: bool = False
    """Of a request: nothing had been fetched, so the recipient's node took it back and answers for the unit."""

    @property
    def order(self) -> Order:
        """The fact's place among the author's acts."""
        return self.create_time_ms, self.packet_id


@dataclass(frozen=True, slots=True)
class Said:
    """A 15 or 16 of the recipient's about one packet."""

    code: str
    answers_packet_id: bytes


def life_of(facts: Iterable[Fact], said: Iterable[Said]) -> tuple[LifeState, bytes]:
    """Return what has become of a document, and the packet id of the act that decided it (b"": none)."""
    known, answers = list(facts), set(said)
    brought = max((fact.order for fact in known if fact.act is LifeAct.NEW and fact.has_arrived), default=None)
    present = [fact for fact in known if brought is None or fact.order > brought]
    found: dict[LifeState, Fact] = {}
    for fact in sorted(present, key=lambda one: one.order):
        effect = _effect(fact, answers)
        if effect is not None and not (effect is LifeState.REPLACED and brought is None):
            found[effect] = fact
    for state in _PRECEDENCE:
        if state in found:
            return state, found[state].packet_id
    return (LifeState.ABSENT if brought is None else LifeState.IN_FORCE), b""


_PRECEDENCE = (
    LifeState.WITHDRAWN,
    LifeState.REPLACED,
    LifeState.WITHDRAWAL_ASKED,
    LifeState.WITHDRAWAL_SENT,
    LifeState.WITHDRAWAL_REFUSED,
)


def _effect(fact: Fact, answers: set[Said]) -> LifeState | None:
    """Return what one act alone makes of the document. A recipient that has answered has the request, whatever became of the receipt."""
    if fact.act is LifeAct.REPLACE:
        return LifeState.REPLACED if fact.has_arrived else None
    if fact.act not in REQUESTS:
        return None
    if fact.taken_unread or Said(AGREES, fact.packet_id) in answers:
        return LifeState.WITHDRAWN
    if Said(REFUSES, fact.packet_id) in answers:
        return LifeState.WITHDRAWAL_REFUSED
    return LifeState.WITHDRAWAL_ASKED if fact.has_arrived else LifeState.WITHDRAWAL_SENT


def answered_by_default(facts: Iterable[Fact], said: Iterable[Said]) -> bytes:
    """Return the packet that a 15 or 16 answers if it does not say so itself (edXML has no field for it); b"": none is known.

    That is the newest request without an answer, withdrawals before updates; if all are answered, the newest withdrawal, or update.
    """
    known, done = list(facts), {one.answers_packet_id for one in said}
    for acts in (REQUESTS, frozenset({LifeAct.UPDATE})):
        open_ones = [f for f in known if f.act in acts and not f.taken_unread and f.packet_id not in done]
        if open_ones:
            return max(open_ones, key=lambda fact: fact.order).packet_id
    for acts in (REQUESTS, frozenset({LifeAct.UPDATE})):
        all_ones = [fact for fact in known if fact.act in acts]
        if all_ones:
            return max(all_ones, key=lambda fact: fact.order).packet_id
    return b""
