"""Lives: what has become of one document at each of its recipients, as its author's node knows it. Read off the dossier."""

from node.flow.document.dossier import Row, acts, fact_of, rows, said
from node.flow.document.life import Fact, life_of
from node.model.delivery import State
from node.model.life import LifeAct, LifeState
from node.ports import Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import DeliveryRecord


class Lives:
    """One document's, by recipient."""

    def __init__(self, tx: Tx, author: str, document_sha256: bytes) -> None:
        self._tx = tx
        self._author = author
        self._digest = document_sha256
        self._acts = acts(tx, author, author, document_sha256) if document_sha256 else []
        self.is_known = any(row.act is not None for row in self._acts)

    def at(self, unit: str) -> tuple[LifeState, bytes]:
        """Return the state at one recipient, and the packet that decided it."""
        if not self.is_known:
            return LifeState.UNKNOWN, b""
        own: dict[bytes, Row] = {}
        statuses: list[Row] = []
        if not self._is_plain():
            party = rows(self._tx, self._author, self._author, self._digest, unit)
            own = {row.packet_id: row for row in party if row.act is not LifeAct.STATUS}
            statuses = [row for row in party if row.act is LifeAct.STATUS]
        facts = [fact for row in self._acts if (fact := self._fact(own.get(row.packet_id, row), unit)) is not None]
        return life_of(facts, said(statuses))

    def _is_plain(self) -> bool:
        """True of nearly every document: it was sent, and nothing else has been done about it."""
        return all(row.act is LifeAct.NEW and not row.record.has_exceptions for row in self._acts)

    def _fact(self, row: Row, unit: str) -> Fact | None:
        if row.act is None:
            return None
        delivery = load(self._tx, keys.delivery(row.packet_id, unit), DeliveryRecord)
        return None if delivery is None else fact_of(row, has_arrived=delivery.state == State.DELIVERED)
