"""Papers that the simulated offices write: edXML packets, each with a secret that no disk of a relay may ever show.

Made by hand and not by node/edxml/, so that the simulation does not believe the room it tests.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.model.code import parse_code
from node.model.envelope import PacketKind

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


@dataclass(frozen=True)
class Paper:
    """A packet as its author has it on the desk. `recipients` and `sender` are canonical.

    `written`: how the packet spells each recipient, in the same order: in its To, or in Bussiness if only that names it.
    """

    system: str
    submission_id: str
    kind: PacketKind
    sender: str
    recipients: tuple[str, ...]
    written: tuple[str, ...]
    document_id: str
    secret: bytes
    packet: bytes = field(repr=False)
    status_code: str = ""
    expire_after_ms: int = 0
    priority: int = 0
    """As OtherInfo says it: 0 normal to 3 hỏa tốc."""
    all_or_nothing: bool = False
    kind_of_act: str = "new"
    """Its act on a document: new, update, replace, withdraw, ask back; "status" if nothing."""
    replaced: tuple[str, ...] = ()
    """DocumentIds that it replaces."""
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """Units that a replacement names only because the replaced document had gone there."""
    besides: Mapping[str, str] = field(default_factory=dict)
    """How Bussiness spells units that it names, by unit; the same unit may be spelt otherwise in To."""

    def does(self, unit: str, document_id: str) -> str:
        """Tell what it does to one document at one of its recipients: bring, update, take back, replace; "" nothing."""
        if self.kind_of_act == "replace" and document_id in self.replaced:
            return "replace"
        if (self.kind is PacketKind.STATUS and self.kind_of_act != "ask back") or document_id != self.document_id:
            return ""
        if self.kind_of_act in ("withdraw", "ask back") or unit in self.dropped:
            return "take back"
        if self.kind_of_act == "update":
            return "bring" if unit in self.added else "update"
        return "" if unit in self.told else "bring"

    @property
    def sha256(self) -> bytes:
        """Digest of the packet."""
        return hashlib.sha256(self.packet).digest()


def old_form(code: str) -> str:
    """Spell a code as QCVN 102:2016 does (000.05.22.H49), where its labels allow, else as it is."""
    parsed = parse_code(code)
    return parsed.old_form or code


def document(
    sender: str,
    recipients: tuple[str, ...],
    document_id: str,
    secret: bytes,
    *,
    priority: int = 0,
    filler: str = "",
    business: str = "",
) -> bytes:
    """Compose a document packet; `filler` becomes its attachment's base64 text, `business` is what is done with the document."""
    to = "".join(f"<edXML:To><edXML:OrganId>{code}</edXML:OrganId></edXML:To>" for code in recipients)
    return _envelope(
        f"<edXML:From><edXML:OrganId>{sender}</edXML:OrganId><edXML:OrganName>Văn phòng</edXML:OrganName></edXML:From>{to}"
        f"<edXML:DocumentId>{document_id}</edXML:DocumentId>"
        "<edXML:Code><edXML:CodeNumber>12</edXML:CodeNumber><edXML:CodeNotation>UBND-VX</edXML:CodeNotation></edXML:Code>"
        f"<edXML:Subject>Việc mật {secret.decode()}</edXML:Subject>"
        f"<edXML:OtherInfo><edXML:Priority>{priority}</edXML:Priority></edXML:OtherInfo>",
        f"<Content>{secret.decode()}</Content>{filler}",
        business,
    )


def business(
    number: int,
    about: str = "",
    *,
    receivers: dict[str, int] | None = None,
    replaced: dict[str, tuple[str, ...]] | None = None,
) -> str:
    """Compose a Bussiness of a type about a document: recipients added (1) and dropped (0), documents replaced and where they had gone."""
    listed = "".join(
        f"<edXML:Receiver><edXML:OrganId>{code}</edXML:OrganId><edXML:ReceiverType>{added}</edXML:ReceiverType></edXML:Receiver>"
        for code, added in (receivers or {}).items()
    )
    infos = "".join(
        f"<edXML:ReplacementInfo><edXML:DocumentId>{name}</edXML:DocumentId><edXML:OrganIdList>"
        + "".join(f"<edXML:OrganId>{code}</edXML:OrganId>" for code in units)
        + "</edXML:OrganIdList></edXML:ReplacementInfo>"
        for name, units in (replaced or {}).items()
    )
    about_it = f"<edXML:DocumentId>{about}</edXML:DocumentId>" if about else ""
    if listed:
        listed = f"<edXML:ReceiverList>{listed}</edXML:ReceiverList>"
        listed = f"<edXML:BussinessDocumentInfo>{listed}</edXML:BussinessDocumentInfo>"
    if infos:
        infos = f"<edXML:ReplacementInfoList>{infos}</edXML:ReplacementInfoList>"
    return (
        f"<edXML:TraceHeaderList><edXML:Bussiness>{about_it}<edXML:BussinessDocType>{number}</edXML:BussinessDocType>"
        f"{listed}{infos}</edXML:Bussiness></edXML:TraceHeaderList>"
    )


def status(sender: str, author: str, document_id: str, status_code: str, secret: bytes) -> bytes:
    """Compose a status packet about a document."""
    return _envelope(
        f"<edXML:From><edXML:OrganId>{sender}</edXML:OrganId><edXML:OrganName>Văn phòng</edXML:OrganName></edXML:From>"
        f"<edXML:ResponseFor><edXML:OrganId>{author}</edXML:OrganId><edXML:Code>12/UBND-VX</edXML:Code>"
        f"<edXML:DocumentId>{document_id}</edXML:DocumentId></edXML:ResponseFor>"
        f"<edXML:StatusCode>{status_code}</edXML:StatusCode><edXML:Description>{secret.decode()}</edXML:Description>"
        "<edXML:Timestamp>2026/10/06 09:30:15</edXML:Timestamp>",
        "",
    )


def _envelope(header: str, attachment: str, trace: str = "") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NAMESPACE}"><edXML:edXMLEnvelope xmlns:edXML="{NAMESPACE}">'
        f"<edXML:edXMLHeader><edXML:MessageHeader>{header}</edXML:MessageHeader>{trace}</edXML:edXMLHeader>"
        '<edXML:edXMLBody><edXML:edXMLManifest version="1.0" /></edXML:edXMLBody></edXML:edXMLEnvelope>'
        f"<AttachmentEncoded>{attachment}</AttachmentEncoded></edXML>"
    )
    return text.encode()
