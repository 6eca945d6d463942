"""Withdraw, update, replace: what an office does about a document that it has sent, each as one packet that says so (decision 0006).

A verb looks up what was sent (sent.py), says the change in edXML's words, and hands the packet in once. The submission id follows from
what is asked, so whoever asks again, after whatever went wrong, gets the packet id of the first time (law 3). A packet that breaks a
rule is not handed in: the result says so, as it would of the node.
"""

import asyncio
import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from node.edxml.attach import NewAttachment
from node.edxml.compose import compose_status
from node.edxml.letter import File, date_of, organ_of, packet_of_letter, packet_with, priority_of
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.finding import counted
from node.model.naming import submission_id_of_words
from node.model.office import SubmitResult
from node.model.packet import (
    Bussiness,
    BussinessDocumentInfo,
    Code,
    DocumentType,
    MessageHeader,
    Organ,
    OrganIdList,
    OtherInfo,
    PromulgationInfo,
    Receiver,
    ReceiverList,
    ReplacementInfo,
    ReplacementInfoList,
)
from node.model.reason import Reason
from node.office.letters import attached, read_letter, write
from node.office.naming import Desk
from node.office.packet_file import read
from node.office.sent import Named, Sent, attachments_of, chosen, find
from node.wording.plain import in_vietnam

WITHDRAWAL, UPDATE, REPLACEMENT = "1", "2", "3"
"""BussinessDocType."""
DROPPED, ADDED = "0", "1"
"""ReceiverType."""
ASK_BACK = "13"
"""The status that asks a recipient to give a document back."""
FORM_ENDING = ".toml"


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of an update; whatever is empty stays as it is.

    `add`: codes of new recipients, also "H49.22=Sở mẫu" with the name; `drop`: of those who shall not have it any more; `attach`: files
    in place of those of the packet file. `due` in any usual form, `priority` 0 to 4 or its name, the others as they shall stand there.
    """

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    attach: tuple[Path, ...] = ()
    subject: str = ""
    content: str = ""
    type: str = ""
    due: str = ""
    priority: str = ""

    @property
    def words(self) -> Mapping[str, str]:
        """The new words, by what they are."""
        names = ("subject", "content", "type", "due", "priority")
        return {name: value for name in names if (value := str(getattr(self, name)))}

    @property
    def is_empty(self) -> bool:
        """True if nothing is to change."""
        return not (self.add or self.drop or self.attach or self.words)


async def withdraw(office: Desk, document: Named, reason: str, recipients: Sequence[str] = ()) -> SubmitResult:
    """Take a document back from these recipients (codes; all without any), by a packet of edXML type 1.

    Raises Rejected: REQUEST_INVALID without a reason, RECIPIENT_UNKNOWN for one to whom it did not go; as `sent.find`, and as the office.
    """
    sent, meant = await _to_take_back(office, document, reason, recipients)
    business = Bussiness(sent.header.document_id, WITHDRAWAL, reason, paper="0")
    said = (sent.key, reason, *(one.organ_id for one in meant))
    return await _submit(office, dataclasses.replace(sent.header, to=meant), business, [], said)


async def ask_back(
    office: Desk, document: Named, reason: str, recipients: Sequence[str] = ()
) -> list[tuple[Organ, SubmitResult]]:
    """Take a document back by a status 13 to each recipient, for software that knows no packets of type 1. Raises as `withdraw`."""
    sent, meant = await _to_take_back(office, document, reason, recipients)
    results = []
    for one in meant:
        name = submission_id_of_words("ask-back", sent.key, one.organ_id, reason)
        results.append((one, await office.submit_once(_status_13(sent.header, one, reason), name)))
    return results


async def update(office: Desk, document: Named, changes: Changes, reason: str = "") -> SubmitResult:
    """Mend a document, and add or drop recipients, by a packet of edXML type 2.

    Raises Rejected: REQUEST_INVALID if nothing changes, for a date or a degree of urgency that is none, and where somebody is added
    but the document itself is not at hand; PACKET_NO_RECIPIENT if nobody is left; and as `withdraw`.
    """
    if changes.is_empty:
        raise Rejected(Reason.REQUEST_INVALID, "nothing changes: say whom to add or drop, what to attach, or new words")
    sent = await find(office, document)
    added = tuple(map(organ_of, changes.add))
    dropped = await chosen(office, sent.recipients, changes.drop, _ms(in_vietnam())) if changes.drop else ()
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        files = await asyncio.to_thread(_files, sent, changes.attach, Path(scratch))
        if added and not files and sent.file is None:
            # To whom it adds, the update is the document (decision 0006).
            raise Rejected(
                Reason.REQUEST_INVALID, "who is added gets the document: name its packet file, or attach its files"
            )
        left = _left(sent.recipients, added, dropped)
        header = mended(dataclasses.replace(sent.header, to=left), changes.words)
        business = _update(header.document_id, reason, added, dropped, bool(changes.words or changes.attach))
        words = (f"{name}={value}" for name, value in changes.words.items())
        digests = (one.attachment.content_id for one in files)
        said = (sent.key, reason, *changes.add, "", *changes.drop, "", *words, *digests)
        return await _submit(office, header, business, files, said)


async def replace(office: Desk, documents: Sequence[Named], new: Path | bytes, reason: str = "") -> SubmitResult:
    """Send a new document in place of others, by a packet of edXML type 3 that says where those had gone.

    `new`: a packet, or the file of a form (.toml); a form that names no recipients goes to all that have the old ones. Raises
    Rejected(REQUEST_INVALID) if no document is named, or if the new one is a status; and as `withdraw`.
    """
    if not documents:
        raise Rejected(Reason.REQUEST_INVALID, "name at least one document that is replaced")
    old = [await find(office, document) for document in documents]
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        header, files, digest = await asyncio.to_thread(_new_document, new, old, Path(scratch))
        infos = ReplacementInfoList(tuple(map(_replaced, old)))
        business = Bussiness(header.document_id, REPLACEMENT, reason, paper="0", replacement_info_lists=(infos,))
        contents = (digest, *(one.attachment.content_id for one in files))
        said = (header.document_id, reason, *(one.key for one in old), *contents)
        return await _submit(office, header, business, files, said)


# --- the steps that they share ----------------------------------------------------------------------------------------


async def _to_take_back(
    office: Desk, document: Named, reason: str, recipients: Sequence[str]
) -> tuple[Sent, tuple[Organ, ...]]:
    if not reason.strip():
        raise Rejected(Reason.REQUEST_INVALID, "a withdrawal must say why: recipients read the reason")
    sent = await find(office, document)
    return sent, await chosen(office, sent.recipients, recipients, _ms(in_vietnam()))


async def _submit(
    office: Desk, header: MessageHeader, business: Bussiness, files: Sequence[NewAttachment], said: Sequence[str]
) -> SubmitResult:
    """Write the packet that does something with a document, and submit it once for the same words (`said`).

    Raises Rejected(REQUEST_INVALID) for characters that XML does not allow, and what the office raises.
    """
    at = in_vietnam()
    packet = packet_with(header, at, files, business)
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        path = Path(scratch) / "packet.edxml"
        findings = await asyncio.to_thread(write, packet, [one.content for one in files], path, at)
        if counted(findings)[0]:
            return SubmitResult("", reason=Reason.PACKET_BREAKS_RULES, findings=tuple(findings))
        return await office.submit_once(path, submission_id_of_words(f"business-{business.bussiness_doc_type}", *said))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


# --- what the packets say -----------------------------------------------------------------------------------------------


def _status_13(header: MessageHeader, recipient: Organ, reason: str) -> bytes:
    sender = header.sender or Organ()
    return compose_status(
        sender=sender.organ_id,
        sender_name=sender.organ_name,
        author=recipient.organ_id,
        document_id=header.document_id,
        code=(header.code or Code()).text,
        date=(header.promulgation_info or PromulgationInfo()).promulgation_date,
        status_code=ASK_BACK,
        description=reason,
        timestamp=in_vietnam().strftime("%Y/%m/%d %H:%M:%S"),
    )


def _files(sent: Sent, attach: Sequence[Path], scratch: Path) -> list[NewAttachment]:
    return [attached(File(str(path)), scratch) for path in attach] or sent.attachments


def _left(recipients: Sequence[Organ], added: Sequence[Organ], dropped: Sequence[Organ]) -> tuple[Organ, ...]:
    """Return to whom the update goes. Raises Rejected(PACKET_NO_RECIPIENT) if nobody is left."""
    left = (*(one for one in recipients if one not in dropped), *added)
    if not left:
        raise Rejected(Reason.PACKET_NO_RECIPIENT, "all recipients are dropped; withdraw the document instead")
    return left


def _update(
    document_id: str, reason: str, added: Sequence[Organ], dropped: Sequence[Organ], changes_fields: bool
) -> Bussiness:
    receivers = (
        *(Receiver(one.organ_id, DROPPED) for one in dropped),
        *(Receiver(one.organ_id, ADDED) for one in added),
    )
    info = BussinessDocumentInfo(
        document_info="1" if changes_fields else "0",
        document_receiver="1" if receivers else "0",
        receiver_list=ReceiverList(receivers) if receivers else None,
    )
    return Bussiness(document_id, UPDATE, reason, paper="0", bussiness_document_infos=(info,))


def mended(header: MessageHeader, words: Mapping[str, str]) -> MessageHeader:
    """Return the header with new words (`Changes.words`). Raises Rejected(REQUEST_INVALID) for a date or urgency that is none."""
    fields: dict[str, Any] = {name: words[name] for name in ("subject", "content") if name in words}
    if "type" in words:
        fields["document_type"] = dataclasses.replace(header.document_type or DocumentType(), type_name=words["type"])
    if "priority" in words:
        priority = priority_of(words["priority"])
        fields["other_info"] = dataclasses.replace(header.other_info or OtherInfo(), priority=priority)
    if "due" in words:
        fields["due_date"] = date_of(words["due"])
    return dataclasses.replace(header, **fields)


def _new_document(
    new: Path | bytes, old: Sequence[Sent], scratch: Path
) -> tuple[MessageHeader, list[NewAttachment], str]:
    """Return the new document's header and attachments, and the digest of the file that they are from."""
    path = new if isinstance(new, Path) else scratch / "new.edxml"
    if isinstance(new, bytes):
        path.write_bytes(new)
    if path.suffix != FORM_ENDING:
        packet = read(path)
        if packet.kind is not PacketKind.DOCUMENT:
            raise Rejected(Reason.REQUEST_INVALID, f"{path.name} is a status, not a document")
        return packet.header, attachments_of(path), _digest(path)
    letter = read_letter(path)
    if not letter.to:
        letter = dataclasses.replace(letter, to=_everywhere(old))
    files = [attached(one, scratch) for one in letter.attachments]
    return packet_of_letter(letter, in_vietnam(), files).header, files, _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _everywhere(old: Sequence[Sent]) -> tuple[Organ, ...]:
    """Return all to whom the old documents went, each once."""
    return tuple({one.organ_id: one for sent in old for one in sent.recipients}.values())


def _replaced(sent: Sent) -> ReplacementInfo:
    return ReplacementInfo(sent.header.document_id, OrganIdList(tuple(one.organ_id for one in sent.recipients)))
