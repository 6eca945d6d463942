"""Acts: what a packet does, to which documents, at which recipients. Pure, and one function for the author's and a recipient's side.

        type 0, new           brings its document
        type 1, withdrawal    takes it back                              status 13 the same
        type 2, update        updates it; brings it to units that it adds (ReceiverType 1), takes it back from those it drops (0)
        type 3, replacement   brings its document to its To; replaces the documents it names wherever it goes

A unit that is named only among those where a replaced document had gone (OrganIdList) gets the packet for that alone. A packet
without a DocumentId does nothing that could be told of any document: it is delivered and that is all.

Codes are read by the aliases that the envelope names (aliases.py), so both sides find the same units.
Sources: edxml.md section 1, domain.md 3.3 and 4.3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.errors import Rejected
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.header import REPLACEMENT, UPDATE, WITHDRAWAL, PacketHeader
from node.model.life import LifeAct

ASK_BACK_CODE = "13"
ANSWER_CODES = frozenset({"15", "16"})


@dataclass(frozen=True, slots=True)
class Deed:
    """The act of a packet on one document at most recipients, and the exceptions: another act by canonical code, None for no act."""

    document_id: str
    act: LifeAct
    exceptions: dict[str, LifeAct | None]

    def at(self, unit: str) -> LifeAct | None:
        """Return what it does at one recipient."""
        return self.exceptions.get(unit, self.act)


def deeds_of(header: PacketHeader, aliases: Mapping[str, str]) -> list[Deed]:
    """Return what a packet does; a status other than 13 does nothing to a document. `aliases`: Envelope.units_by_alias."""
    subject = header.subject_document_id
    if not subject:
        return []
    if header.kind is PacketKind.STATUS:
        return [Deed(subject, LifeAct.ASK_BACK, {})] if header.status_code == ASK_BACK_CODE else []
    if header.business_type == WITHDRAWAL:
        return [Deed(subject, LifeAct.WITHDRAW, {})]
    if header.business_type == UPDATE:
        return [Deed(subject, LifeAct.UPDATE, _added_and_dropped(header, aliases))]
    if header.business_type == REPLACEMENT and header.business is not None:
        to = set(canonical(header.recipients, aliases))
        told: dict[str, LifeAct | None] = dict.fromkeys(
            code for one in header.business.replaced for code in canonical(one.organ_ids, aliases) if code not in to
        )
        replaced = dict.fromkeys(one.document_id for one in header.business.replaced if one.document_id != subject)
        return [Deed(subject, LifeAct.NEW, told), *(Deed(name, LifeAct.REPLACE, {}) for name in replaced)]
    return [Deed(subject, LifeAct.NEW, {})]


def _added_and_dropped(header: PacketHeader, aliases: Mapping[str, str]) -> dict[str, LifeAct | None]:
    receivers = header.business.receivers if header.business is not None else ()
    # An update that drops a unit's old code and adds its new one means to keep the unit: additions come last, and win.
    dropped_first = sorted(receivers, key=lambda one: one.added)
    acts = ((one, LifeAct.NEW if one.added else LifeAct.DROP) for one in dropped_first)
    return {code: act for one, act in acts for code in canonical([one.organ_id], aliases)}


def named_besides_to(header: PacketHeader) -> list[str]:
    """Return the codes, as written, of units that a packet is for though its To does not name them."""
    if header.kind is PacketKind.STATUS or header.business is None:
        return []
    if header.business_type == UPDATE:
        return [one.organ_id for one in header.business.receivers]
    if header.business_type == REPLACEMENT:
        return [code for one in header.business.replaced for code in one.organ_ids]
    return []


def canonical(codes: Iterable[str], aliases: Mapping[str, str]) -> list[str]:
    """Return the units that are meant by those texts that are identifier codes, in canonical form."""
    found = []
    for written in codes:
        try:
            code = parse_code(written).text
            found.append(aliases.get(code, code))
        except Rejected:
            # Routing names the text as refused (submit/check.py); here it means nobody.
            continue
    return found


def asks_its_own_author(header: PacketHeader, aliases: Mapping[str, str]) -> bool:
    """Tell whether a status 13 names its own author as addressee: then it is meant for all who got the document (edxml.md section 2)."""
    if header.kind is not PacketKind.STATUS or header.status_code != ASK_BACK_CODE:
        return False
    return canonical([header.sender], aliases) == canonical(header.recipients, aliases) != []


def is_report(header: PacketHeader) -> bool:
    """Tell whether a packet answers its addressee about a document of the addressee's own: a status, but for the author's 13."""
    return header.kind is PacketKind.STATUS and header.status_code != ASK_BACK_CODE


def may_oblige(header: PacketHeader) -> bool:
    """Tell whether a packet can make something due at its recipient's node (01, or 15 for what is taken back unread)."""
    return header.kind is PacketKind.DOCUMENT or header.status_code == ASK_BACK_CODE
