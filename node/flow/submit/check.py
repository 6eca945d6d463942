"""Check: may this system send this packet, and to whom can it go?

The rules of edXML have judged the packet itself (sealing.py). This file asks what routing needs: the sender is one of the system's
own units, every recipient's code is well formed, and each recipient is known to the directory or named as refused at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.errors import Deferred, Denied, Rejected
from node.flow.bodies.files import require_size
from node.flow.document.acts import is_report, named_besides_to
from node.flow.send.routing import route
from node.model.code import Code, parse_code
from node.model.directory import Directory
from node.model.header import PacketHeader
from node.model.office import RefusedRecipient, Submission, System
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.statement import LIFE_MAX_MS

SUBMISSION_ID_CHARACTERS_MAX = 128


class Unserved(Rejected):
    """A packet is refused because of recipients that cannot be served; `refused` names each of them."""

    def __init__(self, reason: Reason, detail: str, refused: tuple[RefusedRecipient, ...]) -> None:
        super().__init__(reason, detail)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Addressed:
    """A packet whose sender and recipients are understood. `routes` maps each served unit to its node.

    `aliases`: codes that the packet writes for the sender or a recipient, with the unit (canonical), in order of code; `sender_alias`
    is that of the sender, "" if it is called by its own code.
    """

    sender: Code
    routes: dict[str, str]
    refused: tuple[RefusedRecipient, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    sender_alias: str = ""


def check_submission(submission: Submission, policy: Policy) -> None:
    """Refuse a request that cannot be meant; raises Rejected(REQUEST_INVALID or PACKET_TOO_LARGE)."""
    name = submission.submission_id
    if not 1 <= len(name) <= SUBMISSION_ID_CHARACTERS_MAX or not name.isprintable():
        raise Rejected(Reason.REQUEST_INVALID, "submission_id must be 1 to 128 printable characters")
    require_size(submission.packet_bytes, policy)


def require_in_time(submission: Submission, now_ms: int) -> None:
    """Refuse what is new and has no time left; a repeat may come at any time. Raises Rejected(EXPIRED)."""
    if submission.expire_at_ms and submission.expire_at_ms <= now_ms:
        raise Rejected(Reason.EXPIRED, "expire_at_ms lies in the past")
    if submission.expire_at_ms > now_ms + LIFE_MAX_MS:
        raise Rejected(Reason.REQUEST_INVALID, "expire_at_ms lies more than 400 days ahead")


def address(
    header: PacketHeader,
    system: System,
    directory: Directory,
    now_ms: int,
    *,
    aliases: Mapping[str, str],
    instead: Sequence[str] = (),
) -> Addressed:
    """Find out who sends and who can be served: those the packet is to, and those whom its business names (decision 0006).

    `aliases` are those the packet uses (document/aliases.py: aliases_in). `instead` are the recipients of a status 13 that names only
    its own author. Returns recipients that cannot be served by the code as written. Raises Denied(UNIT_NOT_OWNED) if the sender is not
    one of the system's units, Rejected(CODE_MALFORMED) if the sender's code is none, and Deferred(DIRECTORY_EMPTY) while there is no
    directory, since then nobody can be told to be unknown.
    """
    if not directory.nodes:
        raise Deferred(Reason.DIRECTORY_EMPTY, "this node trusts no directory yet")
    code = parse_code(header.sender)
    sender, sender_alias = _meant(header.sender, aliases), code.text if code.text in aliases else ""
    if sender.text not in system.units:
        called = f"{sender}, for which {code} stands" if sender_alias else sender.text
        raise Denied(Reason.UNIT_NOT_OWNED, f"system {system.name} does not speak for {called}")
    routes: dict[str, str] = {}
    refused: list[RefusedRecipient] = []
    reports = is_report(header)
    for written in dict.fromkeys(instead or (*header.recipients, *named_besides_to(header))):
        try:
            unit = _meant(written, aliases)
            routes[unit.text] = route(unit, directory, now_ms, is_report=reports)
        except Rejected as fault:
            refused.append(RefusedRecipient(written, fault.reason, f"{written}: {fault.advice} ({fault.detail})"))
    return Addressed(sender, routes, tuple(refused), tuple(aliases.items()), sender_alias)


def _meant(written: str, aliases: Mapping[str, str]) -> Code:
    """Return the code of the unit that is meant. Raises Rejected(CODE_MALFORMED)."""
    code = parse_code(written)
    unit = aliases.get(code.text)
    return parse_code(unit) if unit else code


def require_served(addressed: Addressed, submission: Submission, policy: Policy) -> None:
    """Refuse the packet as a whole if nobody, or with all-or-nothing not everybody, can be served."""
    names = ", ".join(one.code for one in addressed.refused[:20])
    if not addressed.routes:
        reason = addressed.refused[0].reason if addressed.refused else Reason.PACKET_NO_RECIPIENT
        raise Unserved(reason, f"no recipient can be served: {names}", addressed.refused)
    if addressed.refused and submission.all_or_nothing:
        raise Unserved(Reason.NOT_ALL_SERVED, f"cannot be served: {names}", addressed.refused)
    for what, count in (("recipients", len(addressed.routes)), ("aliases", len(addressed.aliases))):
        if count > policy.recipients_max:
            raise Rejected(Reason.PACKET_TOO_COMPLEX, f"{count} {what}, at most {policy.recipients_max}")
