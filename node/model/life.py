"""Life of a document: what packets do to it, and what becomes of it at each recipient (decision 0006).

A document is named by its author and its DocumentId. All packets about it that one unit knows make its *dossier* (hồ sơ): the one that
brought it, updates, withdrawals, replacements, statuses. Numbers are as in office_service.proto.
"""

from dataclasses import dataclass
from enum import IntEnum


class LifeAct(IntEnum):
    """The act of a packet on a document."""

    NEW = 1
    UPDATE = 2
    REPLACE = 3
    """It is another document, which replaces this one."""
    WITHDRAW = 4
    """EdXML type 1."""
    ASK_BACK = 5
    """Status 13."""
    DROP = 6
    """An update with ReceiverType 0 for the unit."""
    STATUS = 7


class LifeState(IntEnum):
    """The state of a document at one recipient; see office_service.proto."""

    UNKNOWN = 0
    IN_FORCE = 1
    WITHDRAWAL_SENT = 2
    WITHDRAWAL_ASKED = 3
    WITHDRAWN = 4
    WITHDRAWAL_REFUSED = 5
    REPLACED = 6
    ABSENT = 7


@dataclass(frozen=True, slots=True)
class DossierEntry:
    """One packet of a dossier; see office_service.proto."""

    packet_id: bytes
    act: LifeAct
    sender_unit: str
    accept_time_ms: int
    status_code: str = ""
    answers_packet_id: bytes = b""
    note: str = ""
    waits_for_document: bool = False
    by_node: bool = False


@dataclass(frozen=True, slots=True)
class Dossier:
    """A document's life as one unit sees it; entries in the order in which the node took them."""

    unit: str
    author_unit: str
    document_id: str
    document_code: str
    subject: str
    life: LifeState
    entries: tuple[DossierEntry, ...]
