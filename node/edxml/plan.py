"""What is taken out of a packet: a plan of the elements that matter, and the words picked by it.

    any root
      edXMLEnvelope                 matched by the namespace of QCVN 102; everything below by local name alone, in any order
        edXMLHeader
          MessageHeader             From, To*, DocumentId, Code, PromulgationInfo, DocumentType, Subject, DueDate, OtherInfo,
                                    ResponseFor*, and of a status StatusCode, Description, Timestamp
          TraceHeaderList           Bussiness or Business: what is done with the document, and with which
        edXMLBody
          edXMLManifest, Manifest   Reference*
      AttachmentEncoded             Attachment*

Both ways of reading (tree.py, stream.py) follow this plan, so both pick the same. All that it does not name is passed over.
Of several elements where one is meant the first counts, as for the vendor's parser (edxml.md section 3).
"""

from dataclasses import dataclass

from node.edxml.limits import Limits
from node.errors import Rejected
from node.model.reason import Reason

QCVN_102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_IN_QCVN_102 = f"{{{QCVN_102}}}"


@dataclass(frozen=True, slots=True)
class Part:
    """An element that is taken: a group if it has a plan, else a text, or an attachment's content, of which only the size is."""

    name: str
    plan: "Plan | None" = None
    is_content: bool = False
    count_limit: str = ""
    """Of a group or a text that may be there many times: the name of the limit on their number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is taken of a group's children.

    `parts` by tag, as lxml writes tags: by the bare local name, and for speed by the name in the namespace of QCVN 102.
    `enough`: with so many different parts found nothing more can be wanted; -1: there may always be more.
    """

    parts: dict[str, Part]
    enough: int

    def find(self, tag: str) -> Part | None:
        """Return the part that a child of this tag is, if any."""
        part = self.parts.get(tag)
        if part is None and not tag.startswith(_IN_QCVN_102):
            part = self.parts.get(tag.rpartition("}")[2])
        return part


NOTHING = Plan({}, -1)


class Picked:
    """What was found in one group: its texts and inner groups by name; `content_characters` counts base64 characters.

    Texts that may be there many times are in `lists`.
    """

    __slots__ = ("content_characters", "groups", "lists", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.groups: dict[str, list[Picked]] = {}
        self.content_characters = 0

    def group(self, *path: str) -> "Picked":
        """Return the first group of that path, an empty one if there is none."""
        found = self
        for name in path:
            inner = found.groups.get(name)
            if inner is None:
                return Picked()
            found = inner[0]
        return found

    def all(self, name: str) -> list["Picked"]:
        """Return all groups of that name."""
        return self.groups.get(name, [])

    def text(self, name: str) -> str:
        """Return the text as written, "" if there is none."""
        return self.texts.get(name, "")

    def wants(self, part: Part) -> bool:
        """Tell whether one more such element counts: it may be there many times, or is the first."""
        return part.count_limit != "" or part.name not in (self.texts if part.plan is None else self.groups)

    def add_group(self, part: Part, limits: Limits) -> "Picked":
        """Begin one more group. Raises Rejected(PACKET_TOO_COMPLEX) at the limit on their number."""
        picked = Picked()
        same = self.groups.get(part.name)
        if same is None:
            self.groups[part.name] = [picked]
        elif len(same) < getattr(limits, part.count_limit):
            same.append(picked)
        else:
            raise Rejected(
                Reason.PACKET_TOO_COMPLEX, f"more than {len(same)} {part.name} elements ({part.count_limit})"
            )
        return picked

    def add_text(self, part: Part, text: str, limits: Limits) -> None:
        """Take a text. Raises Rejected(PACKET_TOO_COMPLEX) if it is too long."""
        if len(text) > limits.header_text_characters_max:
            limit = limits.header_text_characters_max
            raise Rejected(Reason.PACKET_TOO_COMPLEX, f"text of {part.name} has more than {limit} characters")
        if part.count_limit:
            self._add_to_list(part, text, limits)
        else:
            self.texts[part.name] = text

    def _add_to_list(self, part: Part, text: str, limits: Limits) -> None:
        same = self.lists.setdefault(part.name, [])
        if len(same) >= getattr(limits, part.count_limit):
            raise Rejected(
                Reason.PACKET_TOO_COMPLEX, f"more than {len(same)} {part.name} elements ({part.count_limit})"
            )
        same.append(text)

    def add_content(self, part: Part, characters: int) -> None:
        """Take the size of a content."""
        self.texts[part.name] = ""
        self.content_characters = characters


_NOT_BASE64 = bytes(
    octet for octet in range(256) if octet not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)


def base64_characters(text: str) -> int:
    """Count the characters that carry content; white space, padding and rubbish do not (decoders in use skip them)."""
    return len(text.encode("ascii", "ignore").translate(None, _NOT_BASE64))


def _plan(*parts: Part | str, **also: str) -> Plan:
    """Make a plan of groups and (as mere names) texts; `also` gives other spellings of a part's name."""
    named = {part.name: part for part in (Part(part) if isinstance(part, str) else part for part in parts)}
    enough = -1 if any(part.count_limit for part in named.values()) else len(named)
    named |= {other: named[name] for other, name in also.items()}
    return Plan(named | {f"{_IN_QCVN_102}{name}": part for name, part in named.items()}, enough)


_MESSAGE_HEADER = _plan(
    Part("From", _plan("OrganId", "OrganName")),
    Part("To", _plan("OrganId"), count_limit="recipients_max"),
    "DocumentId",
    Part("Code", _plan("CodeNumber", "CodeNotation")),
    Part("PromulgationInfo", _plan("PromulgationDate")),
    Part("DocumentType", _plan("Type", "TypeName")),
    "Subject",
    "DueDate",
    Part("OtherInfo", _plan("Priority")),
    Part("ResponseFor", _plan("OrganId", "Code", "DocumentId", "PromulgationDate"), count_limit="recipients_max"),
    "StatusCode",
    "Description",
    "Timestamp",
)
_RECEIVERS = Part(
    "ReceiverList", _plan(Part("Receiver", _plan("OrganId", "ReceiverType"), count_limit="recipients_max"))
)
_REPLACEMENT = _plan("DocumentId", Part("OrganIdList", _plan(Part("OrganId", count_limit="recipients_max"))))
_BUSSINESS = _plan(
    "BussinessDocType",
    "BussinessDocReason",
    "DocumentId",
    Part("BussinessDocumentInfo", _plan(_RECEIVERS), count_limit="recipients_max"),
    Part(
        "ReplacementInfoList",
        _plan(Part("ReplacementInfo", _REPLACEMENT, count_limit="recipients_max")),
        count_limit="recipients_max",
    ),
    BusinessDocType="BussinessDocType",
    BusinessDocReason="BussinessDocReason",
    BusinessDocumentInfo="BussinessDocumentInfo",
)
_TRACE = _plan(Part("Bussiness", _BUSSINESS), Business="Bussiness")
_REFERENCE = Part("Reference", _plan("ContentId", "AttachmentName", "ContentType"), count_limit="attachments_max")
_ENVELOPE = _plan(
    Part("edXMLHeader", _plan(Part("MessageHeader", _MESSAGE_HEADER), Part("TraceHeaderList", _TRACE))),
    Part("edXMLBody", _plan(Part("edXMLManifest", _plan(_REFERENCE)), Manifest="edXMLManifest")),
)
_ATTACHMENT = _plan("ContentId", "AttachmentName", "ContentType", Part("ContentTransferEncoded", is_content=True))

ENVELOPE = Part("edXMLEnvelope", _ENVELOPE)
ATTACHMENTS = Part("AttachmentEncoded", _plan(Part("Attachment", _ATTACHMENT, count_limit="attachments_max")))
ROOT = Plan({f"{_IN_QCVN_102}{ENVELOPE.name}": ENVELOPE} | _plan(ATTACHMENTS).parts, enough=2)
