"""Answers: what a node says of a filled home, through the verbs that offices and operators call, as JSON.

The code that filled a home wrote its answers into facts.json; each later version must give the same ones. A field that a later version
has added is not compared, so records may grow; a field that is gone or says something else is a difference.
"""

import asyncio
import dataclasses
import hashlib
import os
import tarfile
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from node.errors import Fault, Rejected
from node.flow.send.receipts import believe
from node.model.finding import Finding
from node.model.office import NO_LEASE, Submission, System
from node.process.assembly import RunningNode
from tests.web.sdk import Sdk

T = TypeVar("T")
Facts = dict[str, Any]

FAR_S, NEVER_S = 5.0, 86_400.0

ARCHIVE, FACTS = "home.tar.xz", "facts.json"
AUTHORITY_FOLDER, CREDENTIALS = "authority", "credentials"
"""Folders beside the home in the archive: the authority's own, and one with the file by which each system proves itself."""
UPLOAD = "upload.pb"
"""File beside the home in the archive: a PushRequest with the packet whose upload is unfinished, as the peer still has it."""
OWN_SYSTEM = "@nut"
"""The name under which a node hands in what it owes in a unit's name."""
HEARD = ("clock_skew_ms", "directory_version", "last_contact_ms", "software")
"""Fields that hold what a process has heard from a peer since it started, which no disk knows."""


class HeldClock:
    """A clock that stands still, so that nothing falls due while a home is looked at, however slow the machine is.

    Short waits take real time, for the sake of whoever collects what comes together; what is further ahead never comes.
    """

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        """Return the time at which it is held, in milliseconds since 1970 UTC."""
        return self.at_ms

    def monotonic_ms(self) -> int:
        """Return the same: no time passes."""
        return self.at_ms

    async def sleep(self, seconds: float) -> None:
        """Wait by monotonic time."""
        await asyncio.sleep(_waited_s(seconds))

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        """Let the loop call `fn` when so much monotonic time has passed."""
        return asyncio.get_running_loop().call_later(_waited_s(seconds), fn)


def _waited_s(seconds: float) -> float:
    return seconds if seconds < FAR_S else NEVER_S


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a home into a folder as if it had been left a moment ago (parts of bodies are given up by age); return where it lies."""
    with tarfile.open(archive) as packed:
        if hasattr(tarfile, "data_filter"):
            packed.extractall(folder, filter="data")
        else:
            packed.extractall(folder)
    now_s = time.time()
    for path in folder.rglob("*"):
        os.utime(path, (now_s, now_s), follow_symlinks=False)
    return folder / "home"


async def until(condition: Callable[[], Awaitable[T]], what: str, limit_s: float = 20.0) -> T:
    """Wait until `condition` gives something true; what a node refuses meanwhile counts as not yet."""
    end_s, last = time.monotonic() + limit_s, ""
    while time.monotonic() < end_s:
        try:
            if value := await condition():
                return value
        except Fault as fault:
            last = str(fault)
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what}: not so after {limit_s} s {last}")


def bridge_of(running: RunningNode, facts: Facts) -> Sdk:
    """Return a service object of the library of the national axis for the system that calls by the bridge."""
    port = int(running.web_address.split(":")[2].split("/")[0])
    return Sdk(port, facts["bridge"]["systemid"], facts["bridge"]["secret"])


async def owed(running: RunningNode, facts: Facts) -> None:
    """Wait until the node has handed in what it owed when its home was packed."""
    for duty in facts["owed"]:
        system, name = System(OWN_SYSTEM, frozenset({duty["unit"]})), duty["submission_id"]
        await until(partial(running.node.track, system, submission_id=name), f"{name} is handed in")


async def answers(running: RunningNode, facts: Facts) -> Facts:
    """Ask everything. Octets come last: whoever asks for them is remembered."""
    node = running.node
    systems = {name: System(name, frozenset(units)) for name, units in facts["systems"].items()}
    everybody = System("moi-don-vi", frozenset(unit for units in facts["systems"].values() for unit in units))
    peers, hooks = await node.list_peers(), await node.list_hooks()
    waiting, _ = await node.list_outbox("", 1000)
    reports, _ = await node.count_statuses(0, 0, "")
    return {
        "track": {
            name: plain(await node.track(systems[one["system"]], submission_id=one["submission_id"]))
            for name, one in facts["sent"].items()
        },
        "inbox": {unit: await _inbox(running, everybody, unit) for unit in sorted(everybody.units)},
        "dossiers": {
            f"{unit} {name}": await _dossier(running, everybody, unit, one)
            for name, one in {**facts["sent"], **facts["received"]}.items()
            for unit in one["units"]
        },
        "outbox": {f"{one.kind} {one.packet_id.hex()} {one.node_id}": plain(one) for one in waiting},
        "peers": {one.node_id: _stored(plain(one)) for one in peers},
        "hooks": {one.system: plain(one) for one in hooks},
        "units": {one.code: plain(one) for one in await node.search_units("H49", 50)},
        "by_document_id": {
            name: (await node.track(systems[one["system"]], document_id=one["document_id"])).packet_id.hex()
            for name, one in facts["sent"].items()
            if one["author"] in one["units"]
        },
        "statuses": {one.unit: plain(one) for one in reports},
        "bridge": await _bridge(running, facts),
        "octets": {
            name: await _octets(running, everybody, one) for name, one in {**facts["sent"], **facts["received"]}.items()
        },
    }


async def repeats(running: RunningNode, facts: Facts) -> Facts:
    """Submit again what was submitted, in its own octets; return the answers, which must be the first ones."""
    node, told = running.node, {}
    for name, one in facts["sent"].items():
        system = System(one["system"], frozenset(facts["systems"][one["system"]]))
        try:
            _, chunks = await node.fetch(system, bytes.fromhex(one["packet_id"]), "", lease_ms=NO_LEASE)
            octets = b"".join([chunk async for chunk in chunks])
        except Rejected:
            continue  # its body is forgotten
        told[name] = plain(await node.submit(system, Submission(one["submission_id"]), octets))
    return told


async def believed_receipts(running: RunningNode, facts: Facts) -> int:
    """Verify every receipt that Track shows with the node's own directory; return how many those were."""
    node, found = running.node, 0
    directory, now_ms = running.ports.directory.current(), running.ports.clock.now_ms()
    for one in facts["sent"].values():
        system = System(one["system"], frozenset(facts["systems"][one["system"]]))
        view = await node.track(system, submission_id=one["submission_id"])
        for delivery in view.deliveries:
            if delivery.signed_receipt is not None:
                believe(delivery.signed_receipt, directory, now_ms=now_ms)
                found += 1
    return found


def differences(recorded: Any, found: Any, where: str = "") -> list[str]:
    """Return where something that was recorded is now missing or another; what is new beside it is none."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        pairs = [(f"{where} / {key}", value, found.get(key, "(missing)")) for key, value in recorded.items()]
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        pairs = [(f"{where} [{place}]", *pair) for place, pair in enumerate(zip(recorded, found, strict=True))]
    else:
        return [] if recorded == found else [f"{where}: was {recorded!r}, is {found!r}"]
    return [line for place, before, now in pairs for line in differences(before, now, place)]


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: octets in hex, enumerations by name, findings as lines without the law, which may change."""
    if isinstance(value, Finding):
        return f"{value.severity.name} {value.code} {value.path} {value.sentence}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _stored(peer: Facts) -> Facts:
    return {key: value for key, value in peer.items() if key not in HEARD}


async def _inbox(running: RunningNode, system: System, unit: str) -> list[Facts]:
    entries, following = await running.node.list_inbox(system, unit, 1000, "")
    assert not following, "a filled home has small inboxes"
    return [plain(entry) for entry in entries]


async def _dossier(running: RunningNode, system: System, unit: str, one: Facts) -> Facts:
    try:
        return dict(plain(await running.node.dossier(system, unit, one["author"], one["document_id"])))
    except Rejected as fault:
        return {"refused": fault.reason.name}


async def _octets(running: RunningNode, system: System, one: Facts) -> str:
    """Return the digest of a packet's octets, or why they are not given out."""
    try:
        _, chunks = await running.node.fetch(system, bytes.fromhex(one["packet_id"]), "", lease_ms=NO_LEASE)
        digest = hashlib.sha256()
        async for chunk in chunks:
            digest.update(chunk)
    except Fault as fault:
        return fault.reason.name
    return digest.hexdigest()


SENT_SINCE = {"docId", "from", "to", "status"}
"""Members of a sent row for the library of 2018, added after the first homes were packed: their rows stand in the order of the others."""


def _as_written_then(row: Facts) -> list[tuple[str, Any]]:
    added = SENT_SINCE if "senderDocId" in row else set()
    return sorted((name, value) for name, value in row.items() if name not in added)


async def _bridge(running: RunningNode, facts: Facts) -> Facts:
    """Ask for both lists as the library of the national axis does. Words for people are left out: they may be put better."""
    told: Facts = {}
    for operation in ("getReceivedEdocList", "getSentEdocList"):
        sdk = bridge_of(running, facts)
        said = await sdk.call(operation, servicetype="eDoc")
        sdk.close()
        rows = [{key: text for key, text in row.items() if not key.endswith("_desc")} for row in said.json["data"]]
        told[operation] = sorted(rows, key=_as_written_then)
    return told
