"""Run: all acts at once, one pair of eyes, a time limit; at the end the software's packets are judged. Or a folder of packets alone.

A point is told as soon as it is known (`tell`), so that the people who watch see where they stand.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.client import AsyncOffice, Credential, Patience
from node.conformance import checks
from node.conformance.acts import ACTS, Act, Manner
from node.conformance.checks import CHECKS, Check
from node.conformance.packets import Evidence, Seen, Subject, TurnedAway, subject_of
from node.conformance.scene import Limit, Scene
from node.conformance.verdict import Outcome, Verdict
from node.edxml.judging import judge
from node.errors import Rejected
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.reason import Reason
from node.sandbox.cast import Member

ENDINGS = (".edxml", ".xml")
PATIENCE_S = 10.0
"""A sandbox that does not answer for so long has ended."""
Tell = Callable[[Check, Verdict], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The two sides of a run: credentials, the unit that writes (`own`), the unit under test, the sandbox's time and its door."""

    writer: Credential
    watcher: Credential
    own: Member
    unit: Member
    now_ms: int
    refused: Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts of a run, by number of the point."""

    verdicts: dict[int, Verdict]

    def of(self, outcome: Outcome) -> list[Check]:
        """Return the points that came out so."""
        return [check for check in CHECKS if (one := self.verdicts.get(check.number)) and one.outcome is outcome]

    @property
    def is_complete(self) -> bool:
        """True if everything that matters was seen."""
        return all(check.optional for check in self.of(Outcome.UNSEEN))


async def run(target: Target, limit: Limit, manner: Manner, tell: Tell, only: Sequence[Act] = ACTS) -> Report:
    """Run the checklist against software that is connected to a sandbox. Raises what calling its nodes raises."""
    verdicts: dict[int, Verdict] = {}

    def note(found: dict[int, Verdict]) -> None:
        for number, verdict in found.items():
            verdicts[number] = verdict
            tell(_check(number), verdict)

    patience = Patience(limit_s=PATIENCE_S)
    async with (
        AsyncOffice(target.writer, patience=patience) as writer,
        AsyncOffice(target.watcher, patience=patience) as watcher,
    ):
        scene = Scene(
            writer,
            watcher,
            target.own,
            target.unit,
            target.now_ms - time.time_ns() // 1_000_000,
            limit,
            target.refused,
            secrets.token_hex(3).upper(),
            begun_ms=target.now_ms,
        )
        await _watched(scene, [_play(act, scene, manner, note) for act in only], manner)
        await scene.look()
        note(_of_packets(scene))
    return Report(verdicts)


async def _watched(scene: Scene, acts: Sequence[Coroutine[Any, Any, None]], manner: Manner) -> None:
    """Play all acts, then wait for a document of the software's, while the scene is watched. Raises the first fault of any."""

    async def play() -> None:
        await asyncio.gather(*acts)
        await scene.until(lambda: any(one.packet.kind is PacketKind.DOCUMENT for one in scene.seen))
        await scene.until(lambda: False, manner.settle_s)

    tasks = [asyncio.ensure_future(play()), asyncio.ensure_future(scene.watch())]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _play(act: Act, scene: Scene, manner: Manner, note: Callable[[dict[int, Verdict]], None]) -> None:
    note(await act(scene, manner))


def _of_packets(scene: Scene) -> dict[int, Verdict]:
    subjects = {
        one.paper.own_id: Subject(one.paper.code, one.paper.date, parse_code(scene.own.code).text)
        for one in scene.posted
    }
    return Evidence(scene.seen, scene.turned_away, subjects).verdicts()


def judge_folder(folder: Path, now_ms: int) -> Report:
    """Judge the packet files of a folder and those below it. Raises Rejected(REQUEST_INVALID) if there are none, OSError."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise Rejected(Reason.REQUEST_INVALID, f"{folder} holds no packet ({', '.join(ENDINGS)})")
    seen: list[Seen] = []
    turned_away: list[TurnedAway] = []
    for path in paths:
        name = str(path.relative_to(folder))
        try:
            packet, findings = judge(path, now_ms)
        except Rejected as fault:
            turned_away.append(TurnedAway(name, fault.reason.name, fault.detail))
        else:
            seen.append(Seen(name, packet, tuple(findings)))
    subjects: dict[str, Subject] = {}
    for one in seen:
        if one.packet.kind is PacketKind.DOCUMENT:
            subjects.setdefault(one.packet.header.document_id.strip(), subject_of(one.packet))
    evidence = Evidence(seen, turned_away, subjects)
    verdicts = evidence.verdicts()
    refusals = [
        one for one in seen if one.packet.kind is PacketKind.STATUS and one.packet.header.status_code.strip() == "02"
    ]
    verdicts[checks.REFUSES] = evidence.point(checks.REFUSES, len(refusals), "trạng thái 02", "statuses 02")
    return Report(verdicts)


def _check(number: int) -> Check:
    return next(check for check in CHECKS if check.number == number)
