"""Flood: an admitted member that does all it may as fast as it can, in a process of its own, so that its work is not the others'.

told = await flood(home, "h49", "wide", calls=40, at_once=8)
"""

import asyncio
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from node.errors import Fault
from node.model.mesh import PushItem
from tests.hostile.evil import Member
from tests.papers import document
from tests.real_mesh import ROOT

DISTINCT = 8
"""Different calls; a node that has answered one answers it again for less."""


def wide(member: Member) -> Sequence[PushItem]:
    """An envelope to as many units as one may name that the victim would serve; few of them are there."""
    own = member.unit_of(member.victim)
    units = sorted({own} | {f"{own}.{a}.{b}" for a in range(10, 85) for b in range(10, 87)})
    return [member.packet(recipient_units=tuple(units))]


def aliased(member: Member) -> Sequence[PushItem]:
    """An envelope with as many aliases as there may be."""
    own, theirs = member.unit_of(member.node_id), member.unit_of(member.victim)
    codes = (f"{own}.{a}.{b}.{c}" for a in range(10, 40) for b in range(10, 40) for c in range(10, 20))
    return [member.packet(aliases=tuple((code, theirs) for code in codes))]


def heavy(member: Member) -> Sequence[PushItem]:
    """A packet nearly as large as a push may be."""
    own, theirs = member.unit_of(member.node_id), member.unit_of(member.victim)
    paper = document(theirs, sender=own, attachments=[("a.bin", os.urandom(2_900_000))])
    return [member.packet(packet=paper)]


def many(member: Member) -> Sequence[PushItem]:
    """A batch of as many packets as a push may hold."""
    return [member.packet() for _ in range(64)]


KINDS: dict[str, Callable[[Member], Sequence[PushItem]]] = {
    "wide": wide,
    "aliased": aliased,
    "heavy": heavy,
    "many": many,
}


async def flood(home: Path, victim: str, kind: str, *, calls: int, at_once: int) -> dict[str, Any]:
    """Let the member in `home` flood a victim; return what it was told, by reason, and the processor time that it took."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(home), victim, kind, str(calls), str(at_once)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said)
    return found


async def _flood(home: Path, victim: str, kind: str, calls: int, at_once: int) -> dict[str, Any]:
    told: Counter[str] = Counter()
    left = iter(range(calls))
    async with Member(home, victim) as member:
        distinct = [KINDS[kind](member) for _ in range(min(DISTINCT, calls))]

        async def go_on() -> None:
            for number in left:
                try:
                    for answer in await member.push(distinct[number % len(distinct)]):
                        told["DELIVERED" if answer.receipt is not None else answer.reason.name] += 1
                except Fault as fault:
                    told[fault.reason.name] += 1

        await asyncio.gather(*(go_on() for _ in range(at_once)))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"told": told, "processor_s": used.ru_utime + used.ru_stime}


if __name__ == "__main__":
    home, victim, kind, calls, at_once = sys.argv[1:]
    print(json.dumps(asyncio.run(_flood(Path(home), victim, kind, int(calls), int(at_once)))))
