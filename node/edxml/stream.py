"""The thorough way of reading: libxml2 calls for every tag and piece of text, the plan says what to keep, and nothing else stays.

An attachment's content passes through as pieces of which only the length is kept, so memory does not grow with the packet.
Everything that a packet can be refused for while it is being parsed is refused here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.edxml.limits import Limits
from node.edxml.plan import ENVELOPE, NOTHING, QCVN_102, ROOT, Part, Picked, Plan, base64_characters
from node.edxml.words import address_of, header_of
from node.errors import Rejected
from node.model.header import PacketHeader
from node.model.reason import Reason


@dataclass(slots=True)
class _Open:
    """An element that has begun and not ended. `leaf`: its text is wanted, `picked` is then the group around it."""

    picked: Picked
    plan: Plan
    part: Part | None = None
    leaf: bool = False
    pieces: list[str] = field(default_factory=list)
    characters: int = 0


class Collector:
    """The target that lxml calls. Every method but `close`, `header` and `path` may raise Rejected."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._root = Picked()
        self._open: list[_Open] = []
        self._tags: list[str] = []
        self._root_tag = ""
        self._envelope_tags: list[str] = []
        self._elements = 0
        self._header_characters = 0
        self.calls = 0
        """Grows with every element and piece of text."""

    @property
    def root_seen(self) -> bool:
        """True once the root element has begun."""
        return bool(self._root_tag)

    @property
    def root_name(self) -> str:
        """Local name of the root element."""
        return self._root_tag.rpartition("}")[2]

    @property
    def path(self) -> str:
        """Names of the elements that are open, from the root down; empty before and after the root."""
        return "/".join(tag.rpartition("}")[2] for tag in self._tags)

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        """Refuse: a DOCTYPE can pull files and other hosts into the text, and edXML has no use for one."""
        raise Rejected(Reason.PACKET_HAS_DTD, f"DOCTYPE {str(name)[:60]!r} before the root element")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.calls += 1
        self._elements += 1
        self._tags.append(tag)
        self._check_size()
        self._open.append(self._begun(tag) if self._open else self._begun_root(tag))

    def end(self, tag: str) -> None:
        """An element ends."""
        self.calls += 1
        self._tags.pop()
        ended = self._open.pop()
        if ended.leaf and ended.part is not None:
            self._take(ended, ended.part)
        elif ended.part is ENVELOPE:
            # Now rather than at the end: what nobody can carry need not be read any further.
            address_of(ended.picked)

    def data(self, text: str) -> None:
        """A piece of text comes."""
        self.calls += 1
        inner = self._open[-1]
        if not inner.leaf or inner.part is None:
            return
        if inner.part.is_content:
            inner.characters += base64_characters(text)
        else:
            self._hold(inner, inner.part, text)

    def close(self) -> None:
        """Called by lxml at the end and after a fault; there is nothing to do."""

    def header(self) -> PacketHeader:
        """Return the words of the packet that has been read to its end. Raises Rejected(PACKET_WRONG_NAMESPACE)."""
        if ENVELOPE.name not in self._root.groups:
            found = ", ".join(self._envelope_tags) or "nothing like it"
            expected = f"{{{QCVN_102}}}{ENVELOPE.name}"
            raise Rejected(
                Reason.PACKET_WRONG_NAMESPACE,
                f"no {expected} below the root {self._root_tag[:200]}; found {found[:400]}",
            )
        return header_of(self._root)

    def _begun_root(self, tag: str) -> _Open:
        self._root_tag = tag
        self._note_envelope(tag)
        return _Open(self._root, ROOT)

    def _begun(self, tag: str) -> _Open:
        outer = self._open[-1]
        if len(self._open) == 1:
            self._note_envelope(tag)
        part = outer.plan.find(tag)
        if part is None or not outer.picked.wants(part):
            return _Open(outer.picked, NOTHING)
        if part.plan is None:
            return _Open(outer.picked, NOTHING, part, leaf=True)
        return _Open(outer.picked.add_group(part, self._limits), part.plan, part)

    def _note_envelope(self, tag: str) -> None:
        """Remember what might have been meant as the envelope, for the wording of the refusal."""
        if "envelope" in tag.rpartition("}")[2].lower() and len(self._envelope_tags) < 3:
            self._envelope_tags.append(tag[:200] if tag.startswith("{") else f"{tag[:200]} without namespace")

    def _hold(self, inner: _Open, part: Part, text: str) -> None:
        inner.characters += len(text)
        self._header_characters += len(text)
        if inner.characters > self._limits.header_text_characters_max:
            self._refuse_size(f"text of {part.name} is too long", "header_text_characters_max")
        if self._header_characters > self._limits.header_characters_max:
            self._refuse_size("texts of the header are too long together", "header_characters_max")
        inner.pieces.append(text)

    def _take(self, ended: _Open, part: Part) -> None:
        if part.is_content:
            ended.picked.add_content(part, ended.characters)
        else:
            ended.picked.add_text(part, "".join(ended.pieces), self._limits)

    def _check_size(self) -> None:
        if self._elements > self._limits.elements_max:
            self._refuse_size("too many elements", "elements_max")
        if len(self._tags) > self._limits.depth_max:
            self._refuse_size("elements too deep inside one another", "depth_max")

    def _refuse_size(self, what: str, limit: str) -> None:
        raise Rejected(
            Reason.PACKET_TOO_COMPLEX, f"{what} ({limit} {getattr(self._limits, limit)}) in {self.path[:400]}"
        )
