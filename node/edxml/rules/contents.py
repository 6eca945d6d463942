"""Contents of attachments, opened: zips that would harm a receiver (edxml.md section 3, dangers).

A `ZipJudge` hears the contents while a packet is read, whichever way, opens those that begin like a zip and keeps nothing of them. The
attachment's name, which may come after the content, tells whether it was to be unzipped at all, so findings wait until the packet is
whole. A zip of some kilobytes may take a second to open: a caller that has no time for that (the event loop) says so and hears of the
first one (`ZipMet`). `check_packet` looks at words only.
"""

from dataclasses import dataclass

from node.edxml.content import Decoder
from node.edxml.extract import is_zipped
from node.edxml.rules.rule import MORE, PLACES_MAX, QCVN
from node.edxml.unzip import (
    LOCAL_MARK,
    PACKET_FREE_BYTES,
    PACKET_RATIO_MAX,
    UNZIP_LIMITS,
    UnzipLimits,
    Unzipper,
)
from node.errors import Rejected
from node.model.finding import Finding, Severity
from node.model.packet import Packet
from node.model.reason import Reason

CONTENT_CODES = ("EDXML-090", "EDXML-091")
CONTENT_SOURCE = f"{QCVN} AttachmentEncoded"

_FIRST_CHARACTERS = 256
"""Enough to tell a zip: the others need not be decoded."""


class ZipMet(Exception):
    """A content begins like a zip, and whoever listens has no time to open it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds on what all zips of a packet together yield: so much always, then so many octets for each octet of them.

    Each of ten thousand small zips may be within its own limits, and opening them all take hours.
    """

    free_bytes: int = PACKET_FREE_BYTES
    ratio_max: int = PACKET_RATIO_MAX


BUDGET = Budget()


class ZipJudge:
    """Listens to contents (collect.ContentListener) and tells of zips that are unsound; raises ZipMet if it `opens_none`."""

    def __init__(
        self, unzip_limits: UnzipLimits = UNZIP_LIMITS, budget: Budget = BUDGET, *, opens_none: bool = False
    ) -> None:
        self._opens_none = opens_none
        self._unzip_limits = unzip_limits
        self._budget = budget
        self._packed_bytes = 0
        self._made_bytes = 0
        self._refusals: dict[int, Rejected] = {}
        self._begin()

    def _begin(self) -> None:
        self._decoder = Decoder()
        self._first = b""
        self._unzipper: Unzipper | None = None
        self._is_over = len(self._refusals) > PLACES_MAX
        """Nothing more need be heard of this content."""

    def __call__(self, index: int, text: str | None) -> None:
        """Hear a piece of a content; None: it has ended."""
        if text is not None:
            if not self._is_over:
                self._hear(index, text)
            return
        if not self._is_over:
            self._take(index, self._decoder.finish())
        if self._unzipper is not None and not self._is_over:
            self._judge(index, self._unzipper, None)
        self._begin()

    def _hear(self, index: int, text: str) -> None:
        if self._unzipper is None:
            self._take(index, self._decoder.feed(text[:_FIRST_CHARACTERS]))
            text = text[_FIRST_CHARACTERS:]
        if text and not self._is_over:
            self._take(index, self._decoder.feed(text))

    def _take(self, index: int, octets: bytes) -> None:
        if self._unzipper is None:
            octets = self._first + octets
            if len(octets) < len(LOCAL_MARK):
                self._first = octets
                return
            if not octets.startswith(LOCAL_MARK):
                self._is_over = True
                return
            if self._opens_none:
                raise ZipMet
            self._unzipper = Unzipper(self._unzip_limits)
        self._judge(index, self._unzipper, octets)

    def _judge(self, index: int, unzipper: Unzipper, octets: bytes | None) -> None:
        self._packed_bytes += len(octets or b"")
        try:
            for piece in unzipper.finish() if octets is None else unzipper.feed(octets):
                self._spend(len(piece))
        except Rejected as refusal:
            self._refusals[index] = refusal
            self._is_over = True

    def _spend(self, made_bytes: int) -> None:
        self._made_bytes += made_bytes
        if self._made_bytes > max(self._budget.free_bytes, self._budget.ratio_max * self._packed_bytes):
            what = f"the zips of the packet together grow to {self._made_bytes} octets or more"
            raise Rejected(Reason.PACKET_TOO_COMPLEX, f"zip refused: {what}")

    def findings(self, packet: Packet) -> list[Finding]:
        """Return what is wrong with the zips of the packet that was read."""
        unsound = [index for index in self._refusals if is_zipped(packet.attachments[index])][: PLACES_MAX + 1]
        more = [MORE if place == PLACES_MAX else "" for place in range(len(unsound))]
        return [_finding(packet, index, self._refusals[index], note) for index, note in zip(unsound, more, strict=True)]


def _finding(packet: Packet, index: int, refusal: Rejected, note: str) -> Finding:
    name = repr(packet.attachments[index].attachment_name.strip()[:60])
    is_bomb = refusal.reason is Reason.PACKET_TOO_COMPLEX
    what = "nở ra quá lớn khi giải nén" if is_bomb else "không phải tệp nén một tệp đúng cách"
    return Finding(
        code="EDXML-091" if is_bomb else "EDXML-090",
        severity=Severity.ERROR,
        path=f"AttachmentEncoded/Attachment[{index + 1}]/ContentTransferEncoded",
        sentence=f"Tệp đính kèm {name} {what} ({refusal.detail}). {note}".rstrip(),
        source=CONTENT_SOURCE,
    )
