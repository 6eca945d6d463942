"""This version opens what earlier ones have stored, and its nodes and theirs understand each other.

Every folder beside this file that holds facts.json is a version (README.md). Its home was filled and asked by its own code, at a time
that facts.json tells; here the clock is held at that time, so the answers must be the same however old the fixture is.
"""

import asyncio
import configparser
import json
import os
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.access.credential import Credential
from node.access.systems import Systems
from node.cli.main import run
from node.config.home import Homestead
from node.config.settings import load_settings
from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.edxml.rules.memory import NUMBER_USED
from node.errors import Rejected
from node.flow.bodies.files import SHELVES
from node.flow.send.receipts import believe
from node.model.delivery import State
from node.model.mesh import Answer, PushPacket
from node.model.office import NO_LEASE, Submission, System, TrackView
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.net.client import OfficeClient
from node.process.assembly import RunningNode, start
from node.store.rocks.check import check_store
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.ports import free_ports
from tests.versions.answers import (
    ARCHIVE,
    AUTHORITY_FOLDER,
    CREDENTIALS,
    FACTS,
    UPLOAD,
    Facts,
    HeldClock,
    answers,
    believed_receipts,
    bridge_of,
    differences,
    owed,
    repeats,
    unpack,
    until,
)
from tests.versions.papers import document_id, letter

VERSIONS = sorted(path.parent for path in Path(__file__).parent.glob(f"*/{FACTS}"))
READY_LIMIT_S = 30.0
NEW_NUMBER = 999
OLD_UNIT, NEW_UNIT = "H51.01", "H52.01"
DOORS = ("MESH", "OFFICE", "VXP")


def play(story: Coroutine[Any, Any, None], limit_s: float = 60.0) -> None:
    """Run a story to its end, with a limit."""
    asyncio.run(asyncio.wait_for(story, limit_s))


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request: pytest.FixtureRequest) -> Path:
    """Return the folder of a version."""
    return Path(request.param)


@pytest.fixture
def free_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting come from whoever runs the tests, and let nodes listen where nobody does, whatever their node.toml says."""
    for name in [name for name in os.environ if name.startswith("TRUC_")]:
        monkeypatch.delenv(name)
    for door, port in zip(DOORS, free_ports(len(DOORS)), strict=True):
        monkeypatch.setenv(f"TRUC_{door}__LISTEN", f"127.0.0.1:{port}")


@dataclass(frozen=True)
class OldHome:
    """A home of an earlier version, unpacked, and what its own code said of it."""

    path: Path
    facts: Facts

    @property
    def place(self) -> Homestead:
        """Return where everything lies in it."""
        return Homestead(self.path)

    @property
    def beside(self) -> Path:
        """Return the folder into which the archive was unpacked."""
        return self.path.parent

    @asynccontextmanager
    async def opened(self, after_ms: int = 0) -> AsyncIterator[RunningNode]:
        """Run the node that lives in it with the code of today, by a clock held so long after the home was packed."""
        clock = HeldClock(self.facts["now_ms"] + after_ms)
        running = await start(self.path, load_settings(self.path), clock=clock)
        try:
            await owed(running, self.facts)
            yield running
        finally:
            await running.stop()

    @property
    def widest(self) -> System:
        """Return the system that speaks for all units."""
        return self.system(max(self.facts["systems"], key=lambda name: len(self.facts["systems"][name])))

    def system(self, name: str) -> System:
        """Return a connected system."""
        return System(name, frozenset(self.facts["systems"][name]))


@pytest.fixture
def home(version: Path, tmp_path: Path, free_doors: None) -> OldHome:
    """Return the home of a version."""
    return OldHome(unpack(version / ARCHIVE, tmp_path), json.loads((version / FACTS).read_bytes()))


def test_there_is_a_version_to_open() -> None:
    assert VERSIONS


def test_an_old_home_says_what_it_said_then(home: OldHome) -> None:
    async def story() -> None:
        check_store(home.place.store, home.facts["node_id"])
        async with home.opened() as running:
            assert differences(home.facts["answers"], await answers(running, home.facts)) == []
            assert differences(home.facts["repeats"], await repeats(running, home.facts)) == []
            assert await believed_receipts(running, home.facts) > len(home.facts["sent"]) / 2
            await the_bridge_remembers_its_order(running, home.facts)
        systems = Systems(home.place.systems_folder, home.place.admin_token)
        for name in home.facts["systems"]:
            credential = Credential.load(home.beside / CREDENTIALS / f"{name}.json")
            assert systems.authenticate(f"Bearer {credential.token}") == home.system(name)

    play(story())


async def the_bridge_remembers_its_order(running: RunningNode, facts: Facts) -> None:
    """Check that an order that was carried out, and overtaken since, is not carried out again though its signature is right."""
    sdk = bridge_of(running, facts)
    said = await sdk.ask(facts["replayed_order"].encode("latin-1"))
    sdk.close()
    assert not said.ok
    assert "đã được thực hiện trước đó" in said.json["ErrorDesc"]


def test_an_old_home_goes_on_from_where_it_was(home: OldHome) -> None:
    async def story() -> None:
        facts = home.facts
        async with home.opened() as running:
            await finish_upload(running, home)
            await acknowledge(running, home, "unread")
            facts["sent"]["new"] = await submit_to_a_neighbour(running, home)
            told = await answers(running, facts)
        let_bodies_be_old(home)
        async with home.opened() as running:
            await sweep_bodies(running)
            again = await answers(running, facts)
            assert differences(told, again) == []
            assert differences(again, told) == []
            waits = bytes.fromhex(facts["received"]["came before its document"]["packet_id"])
            assert not await is_in_inbox(running, home, waits)
        async with home.opened(after_ms=40 * DAY_MS) as running:
            # Nobody is there who could tell whether it is really so late; a node alone would wait for an hour.
            for peer in ("bo", "huyen", "tw"):
                running.node.agreed_time.hear(peer, running.ports.clock.now_ms())
            await until(lambda: is_in_inbox(running, home, waits), "what waited too long for its document is shown")
            await until(
                lambda: has_expired(running, home, "waiting"), "what waited too long for its recipient has failed"
            )
            await until(lambda: is_forgotten(running, home, "acknowledged"), "bodies that nobody needs are forgotten")
            await until(lambda: hook_is_tried(running, told), "the webhook is tried again")

    play(story())


async def acknowledge(running: RunningNode, home: OldHome, name: str) -> None:
    """Take what was received under a name out of its inbox."""
    packet_id = bytes.fromhex(home.facts["received"][name]["packet_id"])
    assert await is_in_inbox(running, home, packet_id)
    assert await running.node.acknowledge(home.widest, [packet_id], "") == 1
    assert not await is_in_inbox(running, home, packet_id)


async def is_in_inbox(running: RunningNode, home: OldHome, packet_id: bytes) -> bool:
    """Tell whether a packet waits in any inbox of the home."""
    entries, _ = await running.node.list_inbox(home.widest, "", 1000, "")
    return packet_id in [one.packet_id for one in entries]


def let_bodies_be_old(home: OldHome) -> None:
    """Date the files of bodies so long ago that a sweep removes those that nobody names."""
    files = [path for path in (home.path / "bodies").rglob("*") if path.is_file()]
    assert files
    for path in files:
        os.utime(path, (0, 0))


async def sweep_bodies(running: RunningNode) -> None:
    """Look at all files of bodies, as a node does in half a month."""
    for _ in range(SHELVES):
        await running.node.body_files.sweep_shelf()


async def has_expired(running: RunningNode, home: OldHome, name: str) -> bool:
    """Tell whether what was sent under a name has failed because its time was over."""
    one = home.facts["sent"][name]
    view = await running.node.track(home.system(one["system"]), submission_id=one["submission_id"])
    return {(one.state, one.reason) for one in view.deliveries} == {(State.FAILED, Reason.EXPIRED_UNCONFIRMED)}


async def is_forgotten(running: RunningNode, home: OldHome, name: str) -> bool:
    """Tell whether the body of what was received under a name is not kept any more."""
    packet_id = bytes.fromhex(home.facts["received"][name]["packet_id"])
    try:
        _, chunks = await running.node.fetch(home.widest, packet_id, "", lease_ms=NO_LEASE)
        async for _ in chunks:
            pass
    except Rejected:
        return True
    return False


async def hook_is_tried(running: RunningNode, told: Facts) -> bool:
    """Tell whether a system has been told something, in vain, since the node said how often that was."""
    return all(one.failures > told["hooks"][one.system]["failures"] for one in await running.node.list_hooks())


async def submit_to_a_neighbour(running: RunningNode, home: OldHome) -> Facts:
    """Let one unit write to another, under a number that it has used before; return what facts.json would say of it."""
    before = home.facts["sent"]["to a neighbour"]
    system = home.system(before["system"])
    [earlier] = (await running.node.track(system, submission_id=before["submission_id"])).deliveries
    number = int(before["document_id"].rpartition(",")[2].partition("/")[0])
    own_id = document_id(before["author"], NEW_NUMBER)
    packet = letter("01_new_pdf", before["author"], earlier.unit, number)
    packet = packet.replace(before["document_id"].encode(), own_id.encode())
    result = await running.node.submit(system, Submission("new"), packet)
    assert result.reason is Reason.NONE, result
    assert NUMBER_USED in result.findings

    async def reported() -> bool:
        return is_done(await running.node.track(system, submission_id="new"))

    await until(reported, "a new document is delivered and its arrival reported")
    return {**before, "submission_id": "new", "packet_id": result.packet_id.hex(), "document_id": own_id}


def is_done(view: TrackView) -> bool:
    """Tell whether a packet is delivered everywhere and its arrival reported from everywhere."""
    return all(one.state is State.DELIVERED and one.status_code == "01" for one in view.deliveries)


async def finish_upload(running: RunningNode, home: OldHome) -> None:
    """Let the peer go on with the body of which half has come, until the packet is in an inbox."""
    node, facts = running.node, home.facts["upload"]
    peer_id, failures = facts["peer"], await failures_of(running, facts["peer"])
    request = pb.PushRequest.FromString((home.beside / UPLOAD).read_bytes())
    [item] = codec.push_request_from_proto(request)
    assert isinstance(item, PushPacket)
    token, offset_bytes = bytes.fromhex(facts["token"]), facts["durable_bytes"]

    async def rest() -> AsyncIterator[bytes]:
        yield item.body[offset_bytes:]

    assert await node.receive_body(peer_id, token, offset_bytes, rest()) == len(item.body)
    answer = await node.receive_commit(peer_id, item.parcel)
    assert isinstance(answer, Answer)
    assert answer.receipt is not None, answer
    believe(answer.receipt, running.ports.directory.current(), now_ms=running.ports.clock.now_ms())
    told = home.facts["received"]["upload under way"]
    assert await is_in_inbox(running, home, bytes.fromhex(told["packet_id"]))

    async def tried() -> bool:
        return await failures_of(running, peer_id) > failures

    await until(tried, "the peer, which seems to be up since it called, is tried again")


async def failures_of(running: RunningNode, node_id: str) -> int:
    """Return how often the road to a peer has failed in a row."""
    return next(peer.failures for peer in await running.node.list_peers() if peer.node_id == node_id)


def test_an_old_authority_publishes_what_an_old_node_believes(home: OldHome) -> None:
    authority, trusted = Authority.open(home.beside / AUTHORITY_FOLDER), TrustedFolder(home.place.directory)
    before, now_ms = trusted.load(), home.facts["now_ms"]
    authority.renew(now_ms)
    version = authority.publish(now_ms)
    after = trusted.update_from(authority.public, now_ms)
    assert (after.version, after.nodes) == (version, before.nodes)
    assert after.version > before.version


def test_the_operator_finds_nothing_wrong(
    home: OldHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: home.facts["now_ms"] * 1_000_000)
    assert run(["serve", str(home.path), "--check"]) == 0
    capsys.readouterr()
    code = run(["doctor", str(home.path), "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check for check in checks if check["state"] == "wrong"] == []
    assert code == 0


OBEY = """
import contextlib, json, sys
import node
assert node.__path__[0] == sys.argv[1], node.__path__
from {module} import {name} as run
for line in sys.stdin:
    words = json.loads(line)
    with contextlib.redirect_stdout(sys.stdout if words[0] == "serve" else sys.stderr):
        code = run(words)
    print(json.dumps({{"code": code}}), flush=True)
"""
"""Program of a process of an earlier version: it takes commands, a line of JSON each, and answers with their exit codes.

There is one process for all of them, because most of a second goes into imports."""


@dataclass(frozen=True)
class OldTruc:
    """`truc` of an earlier version, waiting for commands in a process of its own; what it says beside answers lies in `log`."""

    process: asyncio.subprocess.Process
    log: Path

    async def do(self, *words: object) -> None:
        """Run a command to its end."""
        assert (await self._answer("code", words))["code"] == 0, self.log.read_text("utf-8")

    async def serve(self, home: Path) -> None:
        """Begin to run a node; it runs until the process is told to end."""
        await self._answer("office_address", ("serve", home, "--json"))

    async def _answer(self, key: str, words: Sequence[object]) -> dict[str, object]:
        """Give a command; return the first answer that has the key. Whatever is logged before it is passed over."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(word) for word in words]).encode() + b"\n")
        async with asyncio.timeout(READY_LIMIT_S):
            async for line in self.process.stdout:
                if key in (said := json.loads(line)):
                    return dict(said)
        raise AssertionError(self.log.read_text("utf-8"))

    async def end(self) -> None:
        """End the node as an operator does, and the process with it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.terminate()
        assert await asyncio.wait_for(self.process.wait(), READY_LIMIT_S) == 0, self.log.read_text("utf-8")


@asynccontextmanager
async def old_truc(version: Path, folder: Path) -> AsyncIterator[OldTruc]:
    """Run the program of a version: its wheel, unpacked into a folder, with the libraries of this environment."""
    code, log = folder / "code", folder / "old.log"
    [wheel] = version.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(code)
    scripts = configparser.ConfigParser()
    scripts.read(next(code.glob("truc-*.dist-info/entry_points.txt")), "utf-8")
    module, _, name = scripts["console_scripts"]["truc"].partition(":")
    command = [sys.executable, "-P", "-c", OBEY.format(module=module, name=name), str(code / "node")]
    # What stands in PYTHONPATH goes before this checkout.
    environment = {
        **{key: text for key, text in os.environ.items() if not key.startswith("TRUC_")},
        "PYTHONPATH": str(code),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    pipe = asyncio.subprocess.PIPE
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe, stderr=said)
    try:
        yield OldTruc(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_node_of_that_version_and_one_of_this_exchange_documents(
    version: Path, tmp_path: Path, free_doors: None
) -> None:
    async def story() -> None:
        new, credential = tmp_path / "moi", tmp_path / "cu.json"
        async with old_truc(version, tmp_path) as truc:
            await admit_both(truc, tmp_path / "cu", new, tmp_path / "danh-ba", credential)
            await truc.serve(tmp_path / "cu")
            running = await start(new, load_settings(new))
            try:
                async with OfficeClient.connect(Credential.load(credential)) as theirs:
                    await there_and_back(theirs, running)
            finally:
                await running.stop()
            await truc.end()

    play(story())


async def admit_both(truc: OldTruc, old: Path, new: Path, authority: Path, credential: Path) -> None:
    """Make two nodes, each with its own program, under one authority of today's."""
    mesh, office = free_ports(2)
    their_doors = ("--mesh", f"127.0.0.1:{mesh}", "--office", f"127.0.0.1:{office}")
    our_mesh = os.environ["TRUC_MESH__LISTEN"]
    await truc.do("node", "create", old, "--id", "cu", "--name", "Nút cũ", "--prefix", "H51", *their_doors)
    await truc.do("unit", "add", old, OLD_UNIT, "Sở cũ")
    await truc.do("unit", "publish", old, "--out", old / "zone-update")
    for words in (
        ("authority", "create", authority, "--name", "Cơ quan mẫu"),
        ("node", "create", new, "--id", "moi", "--name", "Nút mới", "--prefix", "H52", "--mesh", our_mesh),
        ("unit", "add", new, NEW_UNIT, "Sở mới"),
        ("unit", "publish", new, "--out", new / "zone-update"),
        ("authority", "admit", authority, old / "join-request.truc"),
        ("authority", "admit", authority, new / "join-request.truc"),
        ("authority", "take", authority, old / "zone-update"),
        ("authority", "take", authority, new / "zone-update"),
        ("authority", "publish", authority),
        ("node", "join", new, authority / "public"),
    ):
        assert run([str(word) for word in words]) == 0, words
    await truc.do("node", "join", old, authority / "public")
    await truc.do("system", "add", old, "qlvb", "--unit", OLD_UNIT, "--out", credential)


async def there_and_back(theirs: OfficeClient, running: RunningNode) -> None:
    """Let each unit write to the other: octets, receipts and the status 01 are seen to come."""
    node, system = running.node, System("qlvb", frozenset({NEW_UNIT}))
    packet, answer = letter("01_new_pdf", NEW_UNIT, OLD_UNIT, 1), letter("05_new_NFC", OLD_UNIT, NEW_UNIT, 2)
    sent = await node.submit(system, Submission("there"), packet)
    received = await theirs.submit(answer, "back")
    assert (sent.reason, received.reason) == (Reason.NONE, Reason.NONE)

    async def both_done() -> bool:
        ours = await node.track(system, submission_id="there")
        return is_done(ours) and is_done(await theirs.track(submission_id="back"))

    await until(both_done, "both documents are delivered and their arrival reported", READY_LIMIT_S)
    assert (await theirs.fetch(sent.packet_id)).packet == packet
    _, chunks = await node.fetch(system, received.packet_id, NEW_UNIT)
    assert b"".join([chunk async for chunk in chunks]) == answer
    directory, now_ms = running.ports.directory.current(), running.ports.clock.now_ms()
    for view in (await node.track(system, submission_id="there"), await theirs.track(submission_id="back")):
        [delivery] = view.deliveries
        assert delivery.signed_receipt is not None
        believe(delivery.signed_receipt, directory, now_ms=now_ms)
