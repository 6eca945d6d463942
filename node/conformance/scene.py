"""Scene of a run: sending test documents to the unit under test, and what has been seen of the software so far.

    the writer     the sandbox's own unit: sends, tracks, receives what the software sends to it
    the watcher    a second system at the software's node: sees its inbox, takes nothing out of it
    the door       the sandbox: what its node refused to take

The scene is looked at again and again, and every look wakes all acts that wait for something. Time limits are by the machine's clock,
as the software's are.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.client import AsyncOffice
from node.conformance.packets import Seen, TurnedAway, same_text
from node.edxml.judging import judge
from node.errors import Rejected
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.finding import Finding, Severity
from node.model.office import InboxEntry
from node.model.packet import ResponseFor
from node.sandbox.cast import Member
from node.sandbox.papers import Paper, Style, status_of
from node.sandbox.writing import packet_of

LOOK_EVERY_S = 0.4


class Limit:
    """The end of a run; a person who has seen enough may bring it forward."""

    def __init__(self, limit_s: float) -> None:
        self.end_s = time.monotonic() + limit_s

    def end_in(self, seconds: float) -> None:
        """End it no later than so many seconds from now."""
        self.end_s = min(self.end_s, time.monotonic() + seconds)


@dataclass(slots=True)
class Posted:
    """A packet that was sent to the software. `paper`: the document that it is, or is about."""

    packet_id: bytes
    paper: Paper
    is_there: bool = False
    """True if it is in the unit's inbox, or was."""
    is_fetched: bool = False
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """A status that the software has sent."""

    code: str
    note: str
    about: ResponseFor
    is_by_node: bool = False
    """True if the node has said it in the unit's name."""


@dataclass(slots=True)
class Scene:
    """One run's view. `ahead_ms`: how far the sandbox's clock is ahead; `refused` asks its door."""

    writer: AsyncOffice
    watcher: AsyncOffice
    own: Member
    unit: Member
    ahead_ms: int
    limit: Limit
    refused: Callable[[], list[dict[str, Any]]]
    run: str
    begun_ms: int = 0
    posted: list[Posted] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    turned_away: list[TurnedAway] = field(default_factory=list)
    _looked: asyncio.Condition = field(default_factory=asyncio.Condition)

    def paper(self, number: int, subject: str, style: Style = Style.PLAIN, **more: Any) -> Paper:
        """Return a test document; its subject says what a person should do with it."""
        words = f"KT{number:02} – {subject}"
        return Paper(self.own, self.unit, f"{number:02}", f"KT-{self.run}", words, self.now_ms(), style, **more)

    # --- sending -----------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Return the sandbox's time."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    async def send(self, paper: Paper, submission: str) -> Posted:
        """Send a document; `submission` tells it from others of this run."""
        with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
            path = Path(scratch) / "packet.edxml"
            await asyncio.to_thread(_write, path, paper)
            result = await self.writer.submit(path, submission_id=f"kt-{self.run}-{submission}")
        return self._note(Posted(result.packet_id, paper))

    async def ask_back(self, posted: Posted, reason: str) -> Posted:
        """Send status 13 about a document."""
        paper = posted.paper
        about = ResponseFor(self.unit.code, paper.code, paper.own_id, paper.date)
        packet = status_of(self.own, about, "13", reason, self.now_ms())
        result = await self.writer.submit(packet, submission_id=f"kt-{self.run}-13-{paper.number}")
        return self._note(Posted(result.packet_id, paper))

    def _note(self, posted: Posted) -> Posted:
        self.posted.append(posted)
        return posted

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], limit_s: float = float("inf")) -> bool:
        """Wait until something has been seen; False: the time is over."""
        own_end_s = time.monotonic() + limit_s
        while not condition():
            left_s = min(self.limit.end_s, own_end_s) - time.monotonic()
            if left_s <= 0:
                return False
            try:
                async with asyncio.timeout(left_s), self._looked:
                    await self._looked.wait()
            except TimeoutError:
                continue
        return True

    def about(self, posted: Posted, *codes: str) -> list[Status]:
        """Return the statuses about a document, by its very DocumentId, with one of these codes; of the node's own only 01 counts."""
        own_id = posted.paper.own_id
        return [
            one
            for one in self.statuses
            if one.about.document_id.strip() == own_id
            and one.code in codes
            and (one.code == "01" or not one.is_by_node)
        ]

    def nearly_about(self, posted: Posted) -> list[Status]:
        """Return the statuses whose DocumentId is the document's in another form of Unicode."""
        own_id = posted.paper.own_id
        return [
            one
            for one in self.statuses
            if one.about.document_id.strip() != own_id and same_text(one.about.document_id.strip(), own_id)
        ]

    # --- looking -----------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Look for ever. It ends by cancellation."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once at everything, and wake those who wait."""
        await self._look_at_posted()
        await self._look_at_own_inbox()
        self._take_refused(await asyncio.to_thread(self.refused))
        async with self._looked:
            self._looked.notify_all()

    async def _look_at_posted(self) -> None:
        open_ones = [one for one in self.posted if not one.is_acknowledged]
        for one in open_ones:
            if not one.is_there:
                view = await self.writer.track(packet_id=one.packet_id)
                one.is_there = all(delivery.state is State.DELIVERED for delivery in view.deliveries)
        # A packet that was there before this list was made, and is not on it, has been acknowledged.
        there = [one for one in open_ones if one.is_there]
        if not there:
            return
        listed = {entry.packet_id: entry async for entry in self.watcher.inbox(self.unit.code)}
        for one in there:
            entry = listed.get(one.packet_id)
            one.is_fetched = one.is_fetched or entry is None or entry.fetch_count > 0
            one.is_acknowledged = entry is None

    async def _look_at_own_inbox(self) -> None:
        """Take the software's packets out of the inbox, so that no later run judges them again."""
        own = [entry async for entry in self.writer.inbox(self.own.code) if entry.sender_unit == self.unit.code]
        for entry in own:
            fetched = await self.writer.fetch(entry.packet_id, self.own.code, lease_ms=-1)
            self._take(entry, fetched.packet)
            await self.writer.acknowledge(entry.packet_id, self.own.code)

    def _take(self, entry: InboxEntry, octets: bytes) -> None:
        name = f"{'status ' + entry.status_code if entry.status_code else 'document'} {entry.document_code or entry.document_id}"
        try:
            packet, findings = judge(octets, self.now_ms())
        except Rejected as fault:
            self.turned_away.append(TurnedAway(name, fault.reason.name, fault.detail))
            return
        if packet.kind is PacketKind.STATUS:
            header, is_by_node = packet.header, _is_by_node(packet.header.description)
            if not self._is_of_this_run(header.response_for):
                return
            about = next(iter(header.response_for[-1:]), ResponseFor())
            self.statuses.append(Status(header.status_code.strip(), header.description, about, is_by_node))
            if is_by_node:
                return
        self.seen.append(Seen(name, packet, tuple(findings)))

    def _is_of_this_run(self, about: Iterable[ResponseFor]) -> bool:
        """Tell whether a status is about this run's documents, or none of ours: late answers to an earlier run's count for nothing."""
        named = [one.document_id.strip() for one in about][-1:]
        return not (named and "/KT-" in named[0] and f"/KT-{self.run}" not in named[0])

    def _take_refused(self, refused: list[dict[str, Any]]) -> None:
        # The door tells all of them each time, so those of the last look are replaced.
        self.turned_away = [one for one in self.turned_away if one.name != _AT_THE_DOOR]
        for one in refused:
            if self.unit.code in one["units"] and one["time_ms"] >= self.begun_ms:
                findings = tuple(
                    Finding(each["code"], Severity.ERROR, each["path"], each["sentence"], each["source"])
                    for each in one["findings"]
                )
                self.turned_away.append(TurnedAway(_AT_THE_DOOR, one["reason"], one["detail"], findings))


_AT_THE_DOOR = "nút không nhận / refused by the node"


def _is_by_node(description: str) -> bool:
    return "(nút báo tự động)" in description or "(nút trả lời tự động)" in description


def _write(path: Path, paper: Paper) -> None:
    with path.open("wb") as file:
        for piece in packet_of(paper):
            file.write(piece)
