"""Changes by authors to documents they have sent: they withdraw them by either road, update, add and drop recipients, replace, send
them again. Which, when and for whom follows from the seed; the ledger keeps the order in which the author's node took them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from node.model.envelope import PacketKind
from tests.sim.ledger import Ledger
from tests.sim.papers import Paper, business, document, status
from tests.sim.world import UNITS, World, spelt

KINDS = ("withdraw", "withdraw", "ask back", "ask all back", "update", "update", "drop and add", "replace", "again")


@dataclass
class Case:
    """One document and what its author may still do with it; a replacement makes a new case."""

    world: World
    ledger: Ledger
    first: Paper
    numbers: random.Random
    step: int = 0

    def next(self) -> Paper | None:
        """Write the next paper; None if there is nobody to write to."""
        self.step += 1
        kind = self.numbers.choice(KINDS)
        everybody = self._served()
        if not everybody:
            return None
        some = tuple(everybody if self.numbers.random() < 0.6 else everybody[:1])
        if kind == "withdraw":
            return self._document("withdraw", some, business(1, self._named()))
        if kind == "ask back":
            return self._status(self.numbers.choice(everybody))
        if kind == "ask all back":
            return self._status("")
        if kind == "update":
            return self._document("update", some, business(2, self._named()))
        if kind == "drop and add":
            return self._drop_and_add(everybody)
        if kind == "replace":
            return self._replace(everybody)
        return self._document("new", tuple(everybody), "")

    def _named(self) -> str:
        """A withdrawal or update names its document in Bussiness, or only by its own DocumentId."""
        return self.first.document_id if self.numbers.random() < 0.5 else ""

    def _served(self) -> list[str]:
        """All units to which the document has gone so far."""
        found: dict[str, None] = {}
        for sent in self.ledger.sent.values():
            paper, first = sent.paper, self.first
            if (paper.sender, paper.document_id) != (first.sender, first.document_id):
                continue
            if paper.kind_of_act in ("new", "update", "replace"):
                served = sent.served()
                found.update(dict.fromkeys(unit for unit in paper.recipients if unit in served))
        return list(found)

    def _drop_and_add(self, everybody: list[str]) -> Paper:
        strangers = [u for units in UNITS.values() for u in units if u not in everybody and u != self.first.sender]
        dropped = tuple(everybody[:1]) if self.numbers.random() < 0.7 else ()
        added = (self.numbers.choice(strangers),) if strangers and (not dropped or self.numbers.random() < 0.5) else ()
        to = tuple(self.numbers.sample(everybody, 1))
        besides = {unit: self._spelt(unit) for unit in (*added, *dropped)}
        units = tuple(dict.fromkeys((*to, *added, *dropped)))
        text = business(
            2, self.first.document_id, receivers={name: int(unit in added) for unit, name in besides.items()}
        )
        return self._document("update", units, text, to=to, added=added, dropped=dropped, besides=besides)

    def _replace(self, everybody: list[str]) -> Paper:
        old = self.first.document_id
        to = tuple(everybody[:1])
        units = tuple(dict.fromkeys((*to, *everybody)))
        besides = {unit: self._spelt(unit) for unit in everybody}
        text, document_id = business(3, replaced={old: tuple(besides.values())}), f"{old}-thay-{self.step}"
        return self._document(
            "replace", units, text, to=to, replaced=(old,), told=units[1:], document_id=document_id, besides=besides
        )

    def _document(
        self,
        act: str,
        units: tuple[str, ...],
        text: str,
        *,
        to: tuple[str, ...] = (),
        besides: Mapping[str, str] = MappingProxyType({}),
        **more: object,
    ) -> Paper:
        secret = f"BIMAT{self.numbers.randbytes(8).hex()}".encode()
        first, document_id = self.first, str(more.pop("document_id", self.first.document_id))
        sender = spelt(self.numbers, first.sender, first.system, as_sender=True)
        named = {unit: self._spelt(unit) for unit in to or units}
        packet = document(sender, tuple(named.values()), document_id, secret, business=text)
        written = tuple(named.get(unit) or besides[unit] for unit in units)
        return Paper(
            first.system, self._name(), PacketKind.DOCUMENT, first.sender, units, written, document_id, secret, packet,
            kind_of_act=act, besides=besides, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    def _status(self, unit: str) -> Paper:
        """A status 13 to one unit; to the author itself ("") it is for everybody."""
        secret = f"BIMAT{self.numbers.randbytes(8).hex()}".encode()
        first, units = self.first, (unit,) if unit else tuple(self._served())
        sender = spelt(self.numbers, first.sender, first.system, as_sender=True)
        called = self._spelt(unit or first.sender)
        written = (called,) if unit else units
        packet = status(sender, called, first.document_id, "13", secret)
        return Paper(
            first.system, self._name(), PacketKind.STATUS, first.sender, units, written, first.document_id, secret, packet,
            status_code="13", kind_of_act="ask back",
        )  # fmt: skip

    def _spelt(self, unit: str) -> str:
        return spelt(self.numbers, unit, self.first.system)

    def _name(self) -> str:
        return f"{self.first.submission_id}-{self.step}"
