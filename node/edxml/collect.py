"""Collecting, the thorough way of reading: libxml2 calls for every tag and piece of text, and the grammar says what becomes of it.

An attachment's content passes through as pieces of which only size and beginning are kept, so memory does not grow with the packet.
Everything that a packet can be refused for while it is being parsed is refused here; what it says or leaves out is for others.
"""

from collections.abc import Callable, Mapping
from typing import Any

from node.edxml.content import Measure
from node.edxml.dialect import Signs
from node.edxml.grammar import Envelope, Root
from node.edxml.limits import Limits
from node.edxml.opaque import Opaque
from node.edxml.shape import ATTACHMENT_NAME, ENVELOPE_NAME, MESSAGE_NAME, Grammar, Shape, Slot
from node.errors import Rejected
from node.model.reason import Reason

ContentListener = Callable[[int, str | None], None]
"""Hears pieces of contents: (index of the attachment, base64), and None at a content's end."""


class _Frame:
    """An element that has begun and not ended. `slot` None: nobody wants it. `values` are those of the group it is or is in."""

    __slots__ = ("measure", "pieces", "shape", "slot", "values")

    def __init__(self, slot: Slot | None, shape: Shape | None, values: dict[str, Any]) -> None:
        self.slot = slot
        self.shape = shape
        self.values = values
        self.pieces: list[str] = []
        self.measure: Measure | None = None


_IGNORED = _Frame(None, None, {})


class PacketCollector:
    """The target that lxml calls. `root` and `signs` are whole after the end.

    `on_content` hears the contents of attachments; `on_envelope` gets an envelope that can be carried as soon as it has ended, so that
    the attachments behind it need not be read if it is refused. Both may raise Rejected.
    """

    def __init__(
        self,
        limits: Limits,
        grammar: Grammar,
        on_content: ContentListener | None = None,
        on_envelope: Callable[[Envelope], object] | None = None,
    ) -> None:
        self._limits = limits
        self._grammar = grammar
        self._on_content = on_content
        self._on_envelope = on_envelope
        self._open: list[_Frame] = []
        self._tags: list[str] = []
        self._elements = 0
        self._header_characters = 0
        self._names: set[str] = set()
        self._name_characters = 0
        self._attachments = 0
        self._opaque: Opaque | None = None
        self.signs = Signs()
        self.root = Root()
        self.calls = 0

    @property
    def root_seen(self) -> bool:
        """True once the root element has begun."""
        return bool(self.signs.root_tag)

    @property
    def root_name(self) -> str:
        """Local name of the root element."""
        return _local(self.signs.root_tag)

    @property
    def path(self) -> str:
        """Names of the elements that are open, from the root down; empty before and after the root."""
        return "/".join(map(_local, self._tags))

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        """Refuse: a DOCTYPE can pull files and other hosts into the text, and edXML has no use for one."""
        raise Rejected(Reason.PACKET_HAS_DTD, f"DOCTYPE {str(name)[:60]!r} before the root element")

    def start(self, tag: str, attributes: Mapping[str, str], nsmap: Mapping[str | None, str] | None = None) -> None:
        """Begin an element: find its place in the grammar, or ignore it with all that is in it."""
        self.calls += 1
        self._elements += 1
        self._tags.append(tag)
        if tag not in self._names or attributes:
            self._note_names(tag, attributes)
        self._check_size()
        if self._opaque is not None:
            self._start_opaque(self._opaque, tag, attributes)
        elif self._open:
            self._open.append(self._begun(self._open[-1], tag, attributes))
        else:
            self._open.append(self._begun_root(tag, nsmap or {}))

    def end(self, tag: str) -> None:
        """End the innermost element: build what it says, and put it into the one around it."""
        self.calls += 1
        if self._opaque is not None:
            self._end_opaque(self._opaque)
        else:
            self._ended(self._open.pop())
        self._tags.pop()

    def data(self, text: str) -> None:
        """Take a piece of text, if it belongs to an element that is wanted."""
        self.calls += 1
        if self._opaque is not None:
            self._count(len(text))
            self._opaque.data(text)
            return
        inner = self._open[-1]
        if inner.measure is not None:
            inner.measure.feed(text)
            self._tell(text)
        elif inner.slot is not None and inner.shape is None:
            self._count(len(text))
            inner.pieces.append(text)

    def close(self) -> None:
        """Do nothing; lxml calls it at the end and after a fault."""

    def _begun_root(self, tag: str, nsmap: Mapping[str | None, str]) -> _Frame:
        if self.signs.note_root(tag, nsmap):
            return _Frame(self._grammar.envelope_slot, self._grammar.older_envelope, {})
        return _Frame(None, self._grammar.root, {})

    def _begun(self, outer: _Frame, tag: str, attributes: Mapping[str, str]) -> _Frame:
        slot = outer.shape.find(tag) if outer.shape is not None else None
        if slot is not None and slot.element == ENVELOPE_NAME and not self._is_envelope(outer, slot, tag):
            slot = None
        if slot is None:
            self.signs.note_other(len(self._tags), tag)
            return _IGNORED
        if slot.is_content:
            return self._begun_content(outer, slot)
        # The first one counts, as for the vendor's parser: a second Subject must not show us what the recipient will not see.
        if not slot.many and slot.field in outer.values:
            return _IGNORED
        if slot.is_opaque:
            return self._begun_opaque(outer, slot, tag, attributes)
        if slot.shape is None:
            return _Frame(slot, None, outer.values)
        return self._begun_group(outer, slot, slot.shape, tag, attributes)

    def _is_envelope(self, outer: _Frame, slot: Slot, tag: str) -> bool:
        return slot.field not in outer.values and self.signs.note_envelope(tag)

    def _begun_group(self, outer: _Frame, slot: Slot, shape: Shape, tag: str, attributes: Mapping[str, str]) -> _Frame:
        if slot.many:
            self._check_count(slot, outer.values.setdefault(slot.field, []))
        else:
            outer.values[slot.field] = None  # its place is taken, whatever comes between
        if slot.element == ATTACHMENT_NAME:
            self._attachments += 1
        elif slot.element == MESSAGE_NAME:
            self.signs.note_message(tag)
        elif slot.element == ENVELOPE_NAME and not self.signs.is_carried:
            shape = self._grammar.older_envelope
        return _Frame(slot, shape, self._attributes(shape, attributes))

    def _attributes(self, shape: Shape, attributes: Mapping[str, str]) -> dict[str, Any]:
        named = {_local(name): value for name, value in _unescaped(attributes).items()} if attributes else {}
        values = {field: named[name] for name, field in shape.attributes.items() if name in named}
        self._count(sum(map(len, values.values())))
        self.signs.note_attributes(values)
        return values

    def _begun_content(self, outer: _Frame, slot: Slot) -> _Frame:
        if "size_bytes" in outer.values:
            return _IGNORED
        outer.values["size_bytes"] = 0
        frame = _Frame(slot, None, outer.values)
        frame.measure = Measure()
        return frame

    def _begun_opaque(self, outer: _Frame, slot: Slot, tag: str, attributes: Mapping[str, str]) -> _Frame:
        self._opaque = Opaque()
        self.signs.note_signature(tag)
        self._start_opaque(self._opaque, tag, attributes)
        return _Frame(slot, None, outer.values)

    def _start_opaque(self, opaque: Opaque, tag: str, attributes: Mapping[str, str]) -> None:
        self._count(sum(len(name) + len(value) for name, value in attributes.items()) + len(tag))
        opaque.start(tag, _unescaped(attributes))

    def _end_opaque(self, opaque: Opaque) -> None:
        octets = opaque.end()
        if octets is None:
            return
        self._opaque = None
        frame = self._open.pop()
        assert frame.slot is not None
        frame.values[frame.slot.field] = octets

    def _ended(self, frame: _Frame) -> None:
        slot, shape = frame.slot, frame.shape
        if frame.measure is not None:
            frame.values["size_bytes"] = frame.measure.size_bytes
            frame.values["beginning"] = frame.measure.beginning
            frame.values["encoding"] = frame.measure.encoding
            self._tell(None)
        elif shape is None:
            if slot is not None:
                self._take(frame.values, slot, "".join(frame.pieces))
        elif not self._open:
            built = shape.build(frame.values)
            self.root = built if isinstance(built, Root) else Root(built, built.encoded)
        else:
            assert slot is not None
            built = shape.build(frame.values)
            self._put(self._open[-1].values, slot, built)
            if slot.element == ENVELOPE_NAME and self._on_envelope is not None and self.signs.is_carried:
                self._on_envelope(built)

    def _take(self, values: dict[str, Any], slot: Slot, text: str) -> None:
        if len(text) > self._limits.header_text_characters_max:
            self._refuse_size(f"text of {slot.element} is too long", "header_text_characters_max")
        self._put(values, slot, text)

    def _put(self, values: dict[str, Any], slot: Slot, value: Any) -> None:
        if slot.many:
            same = values.setdefault(slot.field, [])
            if slot.shape is None:
                self._check_count(slot, same)
            same.append(value)
        else:
            values[slot.field] = value

    def _tell(self, text: str | None) -> None:
        if self._on_content is not None:
            self._on_content(self._attachments - 1, text)

    def _count(self, characters: int) -> None:
        self._header_characters += characters
        if self._header_characters > self._limits.header_characters_max:
            self._refuse_size("texts of the header are too long together", "header_characters_max")

    def _note_names(self, tag: str, attributes: Mapping[str, str]) -> None:
        for name in {tag, *attributes} - self._names:
            self._names.add(name)
            self._name_characters += len(name.rpartition("}")[2])
        if self._name_characters > self._limits.names_characters_max:
            self._refuse_size("too many different names of elements and attributes", "names_characters_max")

    def _check_count(self, slot: Slot, same: list[Any]) -> None:
        if slot.count_limit and len(same) >= getattr(self._limits, slot.count_limit):
            self._refuse_size(f"more than {len(same)} {slot.element} elements", slot.count_limit)

    def _check_size(self) -> None:
        if self._elements > self._limits.elements_max:
            self._refuse_size("too many elements", "elements_max")
        if len(self._tags) > self._limits.depth_max:
            self._refuse_size("elements too deep inside one another", "depth_max")

    def _refuse_size(self, what: str, limit: str) -> None:
        raise Rejected(
            Reason.PACKET_TOO_COMPLEX, f"{what} ({limit} {getattr(self._limits, limit)}) in {self.path[:400]}"
        )


def _unescaped(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return attributes with their &: while it may not resolve entities, libxml2 hands it on as &#38;, however it was written."""
    return {name: value.replace("&#38;", "&") for name, value in attributes.items()}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
