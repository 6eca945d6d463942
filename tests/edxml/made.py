"""Packets made up by hypothesis: every element of the grammar, present or not, with every text that XML allows."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from node.edxml.content import BEGINNING_BYTES
from node.edxml.grammar import ATTACHMENT, DOCUMENT_SLOTS, MESSAGE_HEADER, REFERENCE, STATUS_SLOTS, TRACE
from node.edxml.shape import Shape, Slot
from node.model.envelope import PacketKind
from node.model.packet import Attachment, Packet

_LETTERS = st.characters(exclude_categories=["Cs"]).filter(
    lambda letter: letter in "\t\n\r" or (letter >= "\u0020" and letter not in "\ufffe\uffff")
)
_VIETNAMESE = st.text("aăâđêôơưẢẤỆữỹê\u0302\u0309 <>&\"']]>\r\n\t📄", max_size=20)
TEXTS = st.one_of(st.text(_LETTERS, max_size=12), _VIETNAMESE).map(lambda text: text.strip(" \t\r\n"))
FULL_TEXTS = TEXTS.filter(bool)
_UNWRITTEN = ("must_understand", "actor", "href")


def groups(shape: Shape) -> st.SearchStrategy[Any]:
    """Objects of a shape."""
    slots = [slot for slot in shape.slots if not slot.is_content]
    parts = {slot.field: slot_values(slot) for slot in slots}
    parts |= {field: TEXTS for field in shape.attributes.values() if field not in _UNWRITTEN}
    return st.fixed_dictionaries(parts).map(shape.build)


def slot_values(slot: Slot) -> st.SearchStrategy[Any]:
    one = groups(slot.shape) if slot.shape else FULL_TEXTS
    if slot.many:
        return st.lists(one, max_size=2).map(tuple)
    if slot.shape:
        return st.none() | one
    return FULL_TEXTS if slot.fallback else TEXTS


@st.composite
def attachments(draw: st.DrawFn) -> tuple[Attachment, bytes]:
    words, content = draw(groups(ATTACHMENT)), draw(st.binary(max_size=200))
    texts = {slot.field: getattr(words, slot.field) for slot in ATTACHMENT.slots if not slot.is_content}
    return Attachment(**texts, size_bytes=len(content), beginning=content[:BEGINNING_BYTES]), content


@st.composite
def documents(draw: st.DrawFn) -> tuple[Packet, list[bytes]]:
    """A document packet and the contents of its attachments."""
    header = MESSAGE_HEADER.build({slot.field: draw(slot_values(slot)) for slot in DOCUMENT_SLOTS})
    addressed = [*header.to, type(header.to[0])("H99")] if header.to else None
    found = draw(st.lists(attachments(), max_size=3))
    packet = Packet(
        kind=PacketKind.DOCUMENT,
        header=header if addressed is None else replace(header, to=tuple(addressed)),
        trace=draw(st.none() | groups(TRACE)),
        references=tuple(draw(st.lists(groups(REFERENCE), max_size=3))),
        attachments=tuple(each for each, _ in found),
    )
    return packet, [content for _, content in found]


@st.composite
def statuses(draw: st.DrawFn) -> Packet:
    """A status packet."""
    values = {slot.field: draw(slot_values(slot)) for slot in STATUS_SLOTS}
    return Packet(PacketKind.STATUS, MESSAGE_HEADER.build(values | {"status_code": draw(FULL_TEXTS)}))
