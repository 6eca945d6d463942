"""Shapes, of which a grammar is made: a Shape is an element that holds others, a Slot one place in it.

Both ways of reading (tree.py, collect.py) gather the values of a shape's slots by field, and `build` makes the model's word of them.
Elements are found by local name, whatever their prefix; of several where one is meant the first counts, as for the vendor's parser
(edxml.md section 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from dataclasses import field as made_field
from typing import Any

from node.edxml.dialect import QCVN_102

IN_QCVN_102 = f"{{{QCVN_102}}}"
ENVELOPE_NAME, MESSAGE_NAME, ATTACHMENT_NAME = "edXMLEnvelope", "MessageHeader", "Attachment"
"""Elements at which readers do more than gather."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a shape: a text, or, if it has a shape, a group."""

    element: str
    field: str
    shape: "Shape | None" = None
    many: bool = False
    count_limit: str = ""
    """Name of the limit on how many there may be; else only the limit on all elements counts."""
    fallback: str = ""
    """The text that the vendor's library writes where nobody set one."""
    is_content: bool = False
    """An attachment's base64, of which only size and beginning are kept."""
    is_opaque: bool = False
    """An element that is kept as octets."""
    is_optional: bool = False
    """A text that is None if its element is absent, because that means something else than an empty one."""
    is_text: bool = made_field(init=False)
    """A text that may be there once: most of them are."""

    def __post_init__(self) -> None:
        """Find out once what the busiest loop (tree.py) asks of every slot."""
        plain = self.shape is None and not (self.many or self.is_content or self.is_opaque)
        object.__setattr__(self, "is_text", plain)


class Shape:
    """An element that holds others, as an object of the class `make`.

    `also`: other spellings of its elements' names; `attributes`: field by attribute's local name, in order of writing.
    `slots_by_tag`: by local name, and for speed by the name in the namespace of QCVN 102, as lxml writes it.
    `enough`: with so many fields found nothing more can be wanted; -1: there may always be more.
    """

    __slots__ = ("_also", "_blank", "_lists", "attributes", "enough", "make", "slots", "slots_by_tag")

    def __init__(
        self,
        make: type[Any],
        *slots: Slot,
        also: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self.make = make
        self.slots = slots
        self.attributes = dict(attributes or {})
        self._also = dict(also or {})
        named = {slot.element: slot for slot in slots}
        named |= {other: named[name] for other, name in self._also.items() if name in named}
        self.slots_by_tag = named | {f"{IN_QCVN_102}{name}": slot for name, slot in named.items()}
        blank = dict.fromkeys(self.attributes.values(), "") | {
            slot.field: _nothing(slot) for slot in slots if not slot.is_content
        }
        usual = {each.name: each.default for each in fields(make)}
        self._blank = {name: value for name, value in blank.items() if usual[name] != value}
        self._lists = tuple(slot.field for slot in slots if slot.many)
        self.enough = -1 if self._lists or self.attributes else len(slots)

    def find(self, tag: str) -> Slot | None:
        """Return the slot of a child with this tag, if any."""
        slot = self.slots_by_tag.get(tag)
        if slot is None and not tag.startswith(IN_QCVN_102):
            slot = self.slots_by_tag.get(tag.rpartition("}")[2])
        return slot

    def build(self, values: dict[str, Any]) -> Any:
        """Return the object; what was not found is empty or absent, whatever the class's own defaults are."""
        for name in self._lists:
            if name in values:
                values[name] = tuple(values[name])
        return self.make(**(self._blank | values)) if self._blank else self.make(**values)

    def only(self, *wanted: "str | Slot") -> "Shape":
        """Return a shape with these slots alone, each by its element's name or as a smaller slot in its place; no attributes."""
        smaller = {slot.element: slot for slot in wanted if isinstance(slot, Slot)}
        names = {slot if isinstance(slot, str) else slot.element for slot in wanted}
        assert names <= {slot.element for slot in self.slots}, names
        slots = (smaller.get(slot.element, slot) for slot in self.slots if slot.element in names)
        return Shape(self.make, *slots, also=self._also)

    def slot(self, element: str) -> Slot:
        """Return the slot of an element that this shape has."""
        return self.slots_by_tag[element]


def _nothing(slot: Slot) -> Any:
    if slot.many:
        return ()
    if slot.is_opaque:
        return b""
    return None if slot.shape or slot.is_optional else ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A choice of what is read: the shape of the root, with an envelope of QCVN 102 in it, and that of an older envelope."""

    root: Shape
    older_envelope: Shape
    tells_dialect: bool
    """Enough is read to tell in which dialect a packet that can be carried is written."""

    @property
    def envelope_slot(self) -> Slot:
        """The place of the envelope under the root."""
        return self.root.slot(ENVELOPE_NAME)
