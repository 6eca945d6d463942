"""Writers: what the sandbox's units send to the vendor's units, by themselves or because somebody asks for it.

one life, packet by packet: new A, new B (by older codes), A is updated, B is taken back, C replaces A; then the next unit's turn
odd packets, all valid: minimal, full, special characters, the largest usual size
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from node.errors import Fault, Rejected
from node.log import get_logger
from node.model.naming import submission_id_of_words
from node.model.office import SubmitResult
from node.model.reason import Reason
from node.sandbox.cast import Counterpart, Member, Writes, writer
from node.sandbox.clock import SandboxClock
from node.sandbox.papers import LARGEST_BYTES, Paper, Style, replacement, update, withdrawal
from node.sandbox.writing import packet_of

Send = Callable[[str, Member, str, AsyncIterator[bytes]], Awaitable[SubmitResult]]
"""(node, unit, submission id, packet) -> the node's answer."""

ODD_STYLES = (Style.MINIMAL, Style.FULL, Style.CHARACTERS, Style.LARGEST)
LIFE = ("new", "old-code", "update", "withdraw", "replace")
KINDS = (*LIFE, *(style.value for style in ODD_STYLES), "odd")
"""Kinds of packets that may be asked for; "odd" is all that are odd."""
_SUBJECTS = {
    "new": "V/v báo cáo định kỳ (mẫu)",
    "old-code": "V/v rà soát danh mục, gửi theo mã định danh cũ (mẫu)",
    "update": "V/v báo cáo định kỳ (mẫu, đã sửa hạn trả lời)",
    "withdraw": "Thu hồi văn bản gửi nhầm (mẫu)",
    "replace": "V/v báo cáo định kỳ (mẫu, thay thế văn bản trước)",
    Style.MINIMAL.value: "Gói tối thiểu (mẫu)",
    Style.FULL.value: "Gói đủ mọi trường (mẫu)",
    Style.CHARACTERS.value: "Gói ký tự đặc biệt (mẫu):",
    Style.LARGEST.value: "Gói cỡ lớn nhất (mẫu)",
}

log = get_logger()


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that was sent."""

    kind: str
    unit: str
    document_id: str
    packet_id: bytes


class Writers:
    """All units that write. `every_s` 0: nothing of their own accord."""

    def __init__(
        self,
        send: Send,
        clock: SandboxClock,
        units: tuple[Member, ...],
        *,
        every_s: float,
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self._send = send
        self._clock = clock
        self._units = units
        self._every_s = every_s
        self._largest_bytes = largest_bytes
        self._last_number = 0
        self._newest: dict[tuple[str, str], Paper] = {}
        """By unit: the newest document that is in force, and ("old-code") the newest by older codes."""

    async def run(self) -> None:
        """Send the life of documents, one packet at a time, for ever. It ends by cancellation."""
        turns = itertools.cycle(itertools.product(self._units, LIFE))
        while self._every_s:
            unit, kind = next(turns)
            try:
                await self.send(kind, unit)
            except Fault as fault:
                log.warning("counterpart.delayed", unit=unit.code, reason=fault.reason.name, detail=fault.detail)
            await self._clock.sleep(self._every_s)

    async def answer_oddly(self, counterpart: Counterpart, author: str) -> None:
        """Send all odd packets to the unit that has written to the writer of them."""
        unit = next((one for one in self._units if one.code == author), Member(author, "Đơn vị của bạn"))
        try:
            await self.send("odd", unit)
        except Fault as fault:
            # The vendor has asked for them once: a fault is told, and the round is not begun again.
            log.warning("counterpart.delayed", unit=author, reason=fault.reason.name, detail=fault.detail)

    async def send(self, kind: str, unit: Member) -> list[Sent]:
        """Send one kind of packet, or all odd ones, to a unit; return what was sent.

        An update, withdrawal or replacement needs a document: if there is none, a new one goes first. Raises Rejected(REQUEST_INVALID),
        and as Node.submit.
        """
        if kind not in KINDS:
            raise Rejected(Reason.REQUEST_INVALID, f"{kind!r} is none of {', '.join(KINDS)}")
        kinds = [style.value for style in ODD_STYLES] if kind == "odd" else [kind]
        if kind in ("update", "withdraw", "replace") and self._newest_for(unit, kind) is None:
            kinds.insert(0, "new")
        return [await self._send_paper(one, unit) for one in kinds]

    async def _send_paper(self, kind: str, unit: Member) -> Sent:
        paper = self._paper(kind, unit)
        counterpart = writer(Writes.LIFE if kind in LIFE else Writes.ODD)
        name = submission_id_of_words("hop-cat", kind, paper.own_id, str(paper.at_ms))
        result = await self._send(counterpart.node_id, counterpart.unit, name, _pieces(paper))
        self._remember(kind, paper)
        log.info("packet.sent", kind=kind, unit=unit.code, packet_id=result.packet_id.hex())
        return Sent(kind, unit.code, paper.own_id, result.packet_id)

    def _paper(self, kind: str, unit: Member) -> Paper:
        old = self._newest_for(unit, kind)
        if old is None:
            return self._new(kind, unit)
        if kind == "update":
            return old.about(update("Sửa hạn trả lời"), _SUBJECTS[kind], self._clock.now_ms())
        if kind == "withdraw":
            return old.about(withdrawal("Gửi nhầm nơi nhận"), _SUBJECTS[kind], self._clock.now_ms())
        return replace(self._new(kind, unit), business=replacement(old, "Ban hành lại"))

    def _newest_for(self, unit: Member, kind: str) -> Paper | None:
        """Return the document that a packet of such a kind is about: a withdrawal takes the one by older codes first."""
        newest = self._newest.get((unit.code, "new"))
        if kind == "withdraw":
            return self._newest.get((unit.code, "old-code"), newest)
        return newest if kind in ("update", "replace") else None

    def _remember(self, kind: str, paper: Paper) -> None:
        unit = paper.to.code
        if kind == "withdraw":
            taken_back = "old-code" if (unit, "old-code") in self._newest else "new"
            self._newest.pop((unit, taken_back), None)
        elif kind == "old-code":
            self._newest[unit, "old-code"] = paper
        elif kind in ("new", "replace"):
            self._newest[unit, "new"] = replace(paper, business=None)

    def _new(self, kind: str, unit: Member) -> Paper:
        counterpart = writer(Writes.LIFE if kind in LIFE else Writes.ODD)
        now_ms = self._clock.now_ms()
        # Seconds since 1970, without their first digit: another number with every document, and after every start.
        self._last_number = max(self._last_number + 1, now_ms // 1000 % 10**9)
        style = next((one for one in ODD_STYLES if one.value == kind), Style.PLAIN)
        return Paper(
            sender=counterpart.unit,
            to=unit,
            number=str(self._last_number),
            notation="VP-HC",
            subject=_SUBJECTS[kind],
            at_ms=now_ms,
            style=style,
            by_old_code=kind == "old-code",
            size_bytes=self._largest_bytes,
        )


async def _pieces(paper: Paper) -> AsyncIterator[bytes]:
    for piece in packet_of(paper):
        yield piece
