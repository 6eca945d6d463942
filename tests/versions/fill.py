"""Fills a home with something in every state and every table, with the code that is on the path, and keeps it as a fixture.

    .venv/bin/python -m tests.versions.fill tests/versions/NAME

The world is small: node `tinh`, whose home is kept, and three others that run only while it is filled: `tw` (a relay), `bo` (a ministry)
and `huyen` (which only `tinh` can dial). `xa` and `kin` never run, so what is sent there waits. All run in this process over real
sockets, by a clock that is put forward. At the end the home is packed, opened again by the same code, and asked (answers.py).
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from node.access.webhooks import HookFiles
from node.config.calendar import SHIPPED
from node.config.settings import Settings, load_settings
from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.errors import Deferred, Fault
from node.log import configure
from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Role
from node.model.life import LifeState
from node.model.mesh import Answer, Parcel, PushPacket, Want
from node.model.office import NO_LEASE, DeliveryView, InboxEntry, Submission, System
from node.model.policy import DAY_MS, KIB, MINUTE_MS, Policy
from node.model.reason import Reason
from node.node import Node
from node.ops.world import AUTHORITY, Place, Software, World, build
from node.ops.zone import sign_zone
from node.ports import Tx
from node.process.assembly import RunningNode, start
from node.rows import keys
from node.sandbox.clock import SandboxClock
from node.seal.keyring import load_keys
from node.wire import codec
from tests.ports import free_ports
from tests.versions.answers import (
    ARCHIVE,
    AUTHORITY_FOLDER,
    CREDENTIALS,
    FACTS,
    FAR_S,
    UPLOAD,
    Facts,
    HeldClock,
    answers,
    bridge_of,
    owed,
    repeats,
    unpack,
    until,
)
from tests.versions.papers import ask_back, document_id, large_letter, letter, status, update

ROOT = Path(__file__).parents[2]
HOUR_MS = 60 * MINUTE_MS
CLOSES_AFTER_MS = 20 * DAY_MS
"""Time until a unit of the ministry's closes, by the clock that is put forward."""

INLINE_BYTES_MAX = 6 * KIB
MINIMAL = "09_new_minimal"
"""The sample for whatever is not about content: a body cannot be compressed."""

TINH, SO, PHUONG = "H49", "H49.22", "H49.22.05"
BO, CUC, VU = "G14", "G14.01", "G14.02"
XA, KIN, HUYEN, TW = "H37", "H38", "H50", "G22"
ALL = "moi-don-vi"
QLVB, MOT_CUA = "qlvb", "mot-cua"
PLACES = (
    Place("tw", "Trung ương mẫu", TW, ((TW, "Văn phòng mẫu"),), roles=frozenset({Role.RELAY, Role.DIRECTORY})),
    Place("bo", "Bộ mẫu", BO, ((BO, "Bộ mẫu"), (CUC, "Cục mẫu"), (VU, "Vụ mẫu"))),
    Place(
        "tinh",
        "Tỉnh mẫu",
        TINH,
        ((TINH, "UBND tỉnh Mẫu"), (SO, "Sở Mẫu"), (PHUONG, "UBND phường Mẫu")),
        roles=frozenset({Role.RELAY}),
        systems=(
            Software(QLVB, (TINH, SO, PHUONG), "tinh-qlvb.json", bridged=True),
            Software(MOT_CUA, (PHUONG,), "tinh-mot-cua.json"),
        ),
        settings={
            "times": (f"keep_body_after_ms = {3 * DAY_MS}",),
            "store": (f"inline_body_bytes_max = {INLINE_BYTES_MAX}",),
            "calendar": (f'file = "{SHIPPED.name}"',),
        },
    ),
    Place("huyen", "Huyện mẫu", HUYEN, ((HUYEN, "UBND huyện Mẫu"),), via_relays=("tinh",)),
    Place("xa", "Xã mẫu", XA, ((XA, "UBND xã Mẫu"),), via_relays=("tinh",)),
    Place("kin", "Nơi kín mẫu", KIN, ((KIN, "Nơi kín Mẫu"),), via_relays=("tw",)),
)
PUSHED_BYTES_MAX, PIECE_BYTES = 10 * KIB, 2 * KIB
LONG_BYTES, LARGE_BYTES = 4 * KIB, 8 * KIB
"""Attachments of two documents: one whose body is a file, and one whose body travels in pieces as well."""
UPLOADED_BYTES = 4 * KIB
ROUNDS_OF_FAILURE = 6
CALM_MS = int(2 * FAR_S * 1000)
"""Every road is to be tried again no sooner than this after the home was packed: by a held clock that never comes."""


class SettingsOfSmallPieces(Settings):
    """Settings with limits that no file can set."""

    def policy(self) -> Policy:
        """Return the limits and times that the node works by."""
        return replace(
            super().policy(),
            inline_body_bytes_max=INLINE_BYTES_MAX,
            push_body_bytes_max=PUSHED_BYTES_MAX,
            chunk_bytes=PIECE_BYTES,
        )


class InterruptedNode(Node):
    """A node that a large body does not reach whole while `interrupts` is set; it remembers what it was offered last, and the upload."""

    interrupts = False
    offered: Parcel | None = None
    token = b""

    async def receive_offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Take an offer as any node does."""
        self.offered = parcel
        return await super().receive_offer(peer_id, parcel)

    async def receive_body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a body; if it is to be interrupted, only its beginning, and then refuse."""
        if not self.interrupts:
            return await super().receive_body(peer_id, token, offset_bytes, chunks)
        self.token = token
        if not offset_bytes:
            await super().receive_body(peer_id, token, 0, _beginning(chunks))
        raise Deferred(Reason.STORE_STALLED, "interrupted on purpose", retry_after_ms=HOUR_MS)


async def _beginning(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    taken = 0
    async for chunk in chunks:
        yield chunk
        taken += len(chunk)
        if taken >= UPLOADED_BYTES:
            return


@dataclass
class Office:
    """A node while it runs, with a system that speaks for all of its units."""

    running: RunningNode
    system: System

    @property
    def node(self) -> Node:
        """The node."""
        return self.running.node

    async def submit(self, packet: bytes, name: str, **options: Any) -> bytes:
        """Hand a packet in; return its id."""
        result = await self.node.submit(self.system, Submission(name, **options), packet)
        assert result.reason is Reason.NONE, result
        return result.packet_id

    async def views(self, name: str) -> dict[str, DeliveryView]:
        """Return what Track shows, by unit."""
        return {view.unit: view for view in (await self.node.track(self.system, submission_id=name)).deliveries}

    async def entry(self, packet_id: bytes) -> InboxEntry | None:
        """Return the packet's entry in an inbox, None if it is in none."""
        entries, _ = await self.node.list_inbox(self.system, "", 1000, "")
        return next((one for one in entries if one.packet_id == packet_id), None)

    async def arrived(self, packet_id: bytes) -> InboxEntry:
        """Wait until a packet is in an inbox."""
        found = await until(lambda: self.entry(packet_id), f"{packet_id.hex()} reaches {self.node.node_id}")
        assert found is not None
        return found

    async def read(self, packet_id: bytes, unit: str = "", *, acknowledge: bool = True, **options: Any) -> None:
        """Fetch a packet, and take it out of the inbox."""
        await self.arrived(packet_id)
        _, chunks = await self.node.fetch(self.system, packet_id, unit, **options)
        async for _ in chunks:
            pass
        if acknowledge:
            assert await self.node.acknowledge(self.system, [packet_id], "") == 1

    async def so(self, name: str, condition: Any, what: str) -> None:
        """Wait until a condition holds of every delivery of what was submitted under a name."""

        async def holds() -> bool:
            return all(condition(view) for view in (await self.views(name)).values())

        await until(holds, f"{name}: {what}")

    async def delivered(self, name: str) -> None:
        """Wait until it is delivered everywhere."""
        await self.so(name, lambda view: view.state is State.DELIVERED, "delivered")

    async def told(self, name: str, code: str) -> None:
        """Wait until every recipient has reported a status."""
        await self.so(name, lambda view: code in [event.code for event in view.statuses], f"status {code}")

    async def life(self, name: str, state: LifeState) -> None:
        """Wait until the document's life has come to a state everywhere."""
        await self.so(name, lambda view: view.life is state, state.name)


class Filling:
    """The world while node `tinh` is filled; `sent` and `received` name what its units sent and got, for facts.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SandboxClock(folder / "clock.json")
        self.closes_ms = self.clock.now_ms() + CLOSES_AFTER_MS
        self.world = _world(folder, self.clock.now_ms(), self.closes_ms)
        self.offices: dict[str, Office] = {}
        self.sent: Facts = {}
        self.received: Facts = {}
        self.upload = self.token = b""
        self.owed: list[Facts] = []
        self.replayed = b""

    # --- nodes and time ---------------------------------------------------------------------------------------------

    async def begin(self, *node_ids: str) -> None:
        """Start nodes."""
        for node_id in node_ids:
            home = self.world.home(node_id).path
            running = await start(home, _settings(home), clock=self.clock, make_node=InterruptedNode)
            units = next(place.units for place in PLACES if place.node_id == node_id)
            name = QLVB if node_id == "tinh" else ALL
            self.offices[node_id] = Office(running, System(name, frozenset(code for code, _ in units)))

    async def end(self, node_id: str) -> None:
        """Stop a node."""
        await self.offices.pop(node_id).running.stop()

    @property
    def tinh(self) -> Office:
        """The node that is filled."""
        return self.offices["tinh"]

    @property
    def bo(self) -> Office:
        """The node that most is sent to and comes from."""
        return self.offices["bo"]

    # --- papers -----------------------------------------------------------------------------------------------------

    async def send(
        self, name: str, packet: bytes, number: int, unit: str = SO, *, author: str = "", **options: Any
    ) -> bytes:
        """Let a unit of the node send a packet about a document, by default its own."""
        packet_id = await self.tinh.submit(packet, name, **options)
        author = author or unit
        self.sent[name] = {
            "system": QLVB,
            "submission_id": name,
            "packet_id": packet_id.hex(),
            "document_id": document_id(author, number),
            "author": author,
            "units": [unit],
        }
        return packet_id

    async def receive(
        self, name: str, packet: bytes, number: int, unit: str = SO, *, author: str = "", arrives: bool = True
    ) -> bytes:
        """Let the ministry send a packet to a unit of the node, about a document that is by default the ministry's own."""
        packet_id = await self.bo.submit(packet, name)
        self.received[name] = {
            "packet_id": packet_id.hex(),
            "document_id": document_id(author or CUC, number),
            "author": author or CUC,
            "units": [unit],
        }
        if arrives:
            await self.tinh.arrived(packet_id)
        return packet_id

    # --- the story --------------------------------------------------------------------------------------------------

    async def fill(self) -> int:
        """Do everything; return the time at which the node was stopped, in milliseconds since 1970 UTC."""
        await self.begin("tw", "bo", "tinh")
        await self.long_ago()
        await self.while_the_ministry_was_away()
        await self.set_webhook()
        await self.documents_and_statuses()
        await self.withdrawals()
        await self.updates_and_replacements()
        await self.inboxes()
        await self.by_the_bridge()
        await self.what_waits()
        await self.what_the_node_owes_and_is_still_getting()
        await self.carried_for_others()
        await self.roads_fail()
        _require_every_table(await self.tinh.running.ports.store.transact(_rows_by_table))
        await self.end("tinh")
        return self.clock.now_ms()

    async def long_ago(self) -> None:
        """Send and receive packets whose bodies are forgotten by now."""
        expires_ms = self.clock.now_ms() + HOUR_MS
        sent = await self.send("forgotten", letter(MINIMAL, SO, CUC, 1), 1, expire_at_ms=expires_ms)
        await self.bo.read(sent)
        await self.tinh.told("forgotten", "01")
        got = await self.receive("received and forgotten", letter(MINIMAL, CUC, SO, 101), 101)
        await self.tinh.read(got)
        await self.bo.told("received and forgotten", "01")

        async def forgotten() -> bool:
            self.clock.advance(HOUR_MS)
            return await _is_refused(self.tinh, sent) and await _is_refused(self.tinh, got)

        await until(forgotten, "bodies are forgotten")

    async def while_the_ministry_was_away(self) -> None:
        """Let deliveries fail for good: one by the recipient's node, whose unit has closed meanwhile, and one by time."""
        await self.end("bo")
        closes_ms = self.closes_ms
        await self.send("refused by its recipient", letter("01_new_pdf", SO, VU, 2), 2)
        await self.send("expired", letter(MINIMAL, SO, XA, 3), 3, expire_at_ms=closes_ms)
        self.clock.advance(closes_ms + MINUTE_MS - self.clock.now_ms())
        await self.tinh.so("expired", lambda view: view.state is State.FAILED, "failed")
        await self.begin("bo")
        await self.tinh.so("refused by its recipient", lambda view: view.state is State.FAILED, "failed")

    async def set_webhook(self) -> None:
        """Let a system be told of what happens to it, at an address where somebody listens to the first notice only."""
        home, [port] = self.world.home("tinh"), free_ports(1)
        own = load_keys(home.keys, "tinh", None)
        listener = await asyncio.start_server(_take_notice, "127.0.0.1", port)
        files, url = HookFiles(home.systems_folder, own), f"http://127.0.0.1:{port}/bao-tin"
        files.set(MOT_CUA, url, None, self.clock.now_ms(), own.public_keys().sealing[0])

        async def told() -> bool:
            return any(hook.told for hook in await self.tinh.node.list_hooks())

        await until(told, "the webhook is told that it is set")
        listener.close()
        await listener.wait_closed()

    async def documents_and_statuses(self) -> None:
        """Send documents that are delivered, and let their recipients report."""
        sent = await self.send("delivered", letter("01_new_pdf", SO, CUC, 4), 4)
        await self.bo.read(sent)
        await self.tinh.told("delivered", "01")
        for code in ("03", "06"):
            told = await self.receive(f"status {code}", status(code, CUC, SO, 4, sample="06"), 4, author=SO)
            await self.tinh.told("delivered", code)
            if code == "03":
                await self.tinh.read(told)
        await self.send("partly refused", letter("08_new_10_recipients", SO, CUC, 5, second=BO), 5)
        await self.send("answers two", letter("11_new_response_for_two", SO, CUC, 6, second=BO), 6)
        await self.send("to a neighbour", letter("61_lf_only", SO, PHUONG, 7), 7)
        await self.send("pushed from a file", large_letter(SO, CUC, 8, LONG_BYTES), 8)
        await self.send("large", large_letter(SO, CUC, 9, LARGE_BYTES), 9)
        for name in ("partly refused", "answers two", "to a neighbour", "pushed from a file", "large"):
            await self.tinh.delivered(name)
            await self.tinh.told(name, "01")

    async def withdrawals(self) -> None:
        """Ask for documents back, before and after they were read, and get every answer to that."""
        for number, name, withdraws in (
            (20, "withdrawn unread", letter("14_withdraw_1", SO, CUC, 20)),
            (21, "withdrawn after reading", ask_back(SO, CUC, 21)),
            (22, "withdrawal refused", ask_back(SO, CUC, 22)),
            (23, "withdrawal not answered", letter("14_withdraw_1", SO, CUC, 23)),
        ):
            sent = await self.send(name, letter(MINIMAL, SO, CUC, number), number)
            await self.tinh.told(name, "01")
            if number != 20:
                await self.bo.read(sent)
            await self.send(f"request: {name}", withdraws, number)
        await self.tinh.life("withdrawn unread", LifeState.WITHDRAWN)
        await self.tinh.life("withdrawn after reading", LifeState.WITHDRAWAL_ASKED)
        await self.receive("status 15", status("15", CUC, SO, 21), 21, author=SO)
        await self.tinh.life("withdrawn after reading", LifeState.WITHDRAWN)
        await self.tinh.life("withdrawal refused", LifeState.WITHDRAWAL_ASKED)
        await self.receive("status 16", status("16", CUC, SO, 22, sample="15"), 22, author=SO)
        await self.tinh.life("withdrawal refused", LifeState.WITHDRAWAL_REFUSED)
        await self.tinh.life("withdrawal not answered", LifeState.WITHDRAWAL_ASKED)

    async def updates_and_replacements(self) -> None:
        """Change documents, and put one in the place of another."""
        await self.send("updated", letter("18_new_trace_id_version_paper", SO, CUC, 30), 30)
        await self.tinh.told("updated", "01")
        await self.send("update", update(SO, CUC, 30), 30)
        await self.send("given to another", letter(MINIMAL, SO, CUC, 33), 33)
        await self.tinh.told("given to another", "01")
        await self.send("other recipients", letter("15_update_2", SO, CUC, 33, second=BO), 33)
        await self.send("replaced", letter("19_new_no_content_ids", SO, CUC, 31), 31)
        await self.tinh.told("replaced", "01")
        await self.send("replacement", letter("16_replace_3", SO, CUC, 32, second=BO, replaced=31), 32)
        for name in ("update", "other recipients", "replacement"):
            await self.tinh.delivered(name)
        await self.tinh.life("given to another", LifeState.WITHDRAWN)
        await self.tinh.life("replaced", LifeState.REPLACED)

    async def inboxes(self) -> None:
        """Let packets come to the node's units, which get more or less far with them."""
        await self.receive("unread", letter("01_new_pdf", CUC, SO, 40), 40)
        leased = await self.receive("leased", letter("07_new_special_chars", CUC, SO, 41), 41)
        await self.tinh.read(leased, unit=SO, acknowledge=False, lease_ms=DAY_MS, instance="may-1")
        done = await self.receive("acknowledged", letter("06_new_NFD", CUC, SO, 42), 42)
        await self.tinh.read(done)
        await self.send("own status 03", status("03", SO, CUC, 42, sample="06"), 42, author=CUC)
        await self.tinh.delivered("own status 03")
        await self.receive("withdrawn before it was read", letter(MINIMAL, CUC, SO, 43), 43)
        await self.bo.told("withdrawn before it was read", "01")
        await self.receive("withdrawal of that", letter("14_withdraw_1", CUC, SO, 43), 43, arrives=False)
        await self.bo.told("withdrawn before it was read", "15")
        read = await self.receive("read and then withdrawn", letter(MINIMAL, CUC, SO, 44), 44)
        await self.tinh.read(read)
        await self.receive("withdrawal of what was read", letter("14_withdraw_1", CUC, SO, 44), 44)
        await self.receive("came before its document", update(CUC, SO, 45), 45, arrives=False)
        await self.bo.delivered("came before its document")
        await self.receive("received as a file", large_letter(CUC, SO, 46, LONG_BYTES), 46)
        await self.receive("received in pieces", large_letter(CUC, SO, 47, LARGE_BYTES), 47)
        await self.receive("told by webhook", letter(MINIMAL, CUC, PHUONG, 48), 48, PHUONG)
        await until(self._hook_has_failed, "the webhook is tried")

    async def _hook_has_failed(self) -> bool:
        return any(hook.waiting and hook.failures for hook in await self.tinh.node.list_hooks())

    async def by_the_bridge(self) -> None:
        """Let software of the national axis say something of a packet, and give an order about a unit, which it may not give twice."""
        await self.receive("in hand by the bridge", letter(MINIMAL, CUC, TINH, 50), 50, TINH)
        sdk = bridge_of(self.tinh.running, {"bridge": self.world.bridges[QLVB]})
        said = await sdk.call("getReceivedEdocList", servicetype="eDoc", messagetype="edoc")
        [row] = [row for row in said.json["data"] if row["to"] == TINH]
        assert (await sdk.call("updateStatus", docid=row["docId"], status="processing")).ok
        agency = json.dumps({"pcode": SO, "code": f"{SO}.07", "name": "Phòng mẫu"}).encode()
        self.replayed = sdk.request("registerAgency", {}, agency)
        assert (await sdk.ask(self.replayed)).ok
        assert (await sdk.call("deleteAgency", AgencyCode=f"{SO}.07")).ok
        sdk.close()

    async def what_waits(self) -> None:
        """Leave deliveries under way: in a relay's custody, held by the operator, and to a node that does not answer."""
        await self.send("in custody", letter(MINIMAL, SO, KIN, 60), 60)
        await self.tinh.so("in custody", lambda view: view.custody_node == "tw", "in the relay's custody")
        await self.tinh.node.hold_peer("kin")
        await self.send("waiting", letter(MINIMAL, PHUONG, XA, 61), 61, PHUONG)
        await self.tinh.so("waiting", lambda view: view.reason is Reason.PEER_UNREACHABLE, "nobody answers")

    async def what_the_node_owes_and_is_still_getting(self) -> None:
        """Leave a status that the node owes, and half a body."""
        await self.bo.submit(letter(MINIMAL, CUC, HUYEN, 70), "for huyen")
        await self.bo.so("for huyen", lambda view: view.custody_node == "tinh", "in the custody of tinh")
        tinh, node = self.tinh, self.tinh.node
        assert isinstance(node, InterruptedNode)
        await tinh.running.loops.duty_loop.stop()
        owes = await self.receive("its arrival is to be reported", letter(MINIMAL, CUC, SO, 71), 71)
        self.owed.append({"unit": SO, "submission_id": f"01-{owes.hex()}-{SO}"})
        node.offered, node.interrupts = None, True
        name = "upload under way"
        half = await self.receive(name, large_letter(CUC, SO, 72, LARGE_BYTES), 72, arrives=False)
        parts = self.world.home("tinh").path

        async def begun() -> bool:
            return any(path.stat().st_size >= UPLOADED_BYTES for path in parts.rglob("*.part"))

        await until(begun, "half a body has come")
        assert node.offered is not None
        body_ref = codec.decode_envelope(node.offered.signed_envelope.envelope).body
        body = await self.bo.running.ports.bodies.read(body_ref.body_sha256, 0, body_ref.body_bytes)
        self.token = node.token
        self.upload = codec.push_request_to_bytes([PushPacket(node.offered, body)])
        assert codec.decode_envelope(node.offered.signed_envelope.envelope).packet_id == half
        await self.end("bo")

    async def carried_for_others(self) -> None:
        """Leave a receipt that waits for the ministry, and a packet of the centre's in our custody."""
        await self.begin("huyen")

        async def carried() -> set[str]:
            return {one.kind for one in (await self.tinh.node.list_outbox("", 1000))[0]}

        async def receipt_waits() -> bool:
            return "receipt" in await carried()

        async def packet_waits() -> bool:
            return "relay" in await carried()

        self.clock.advance(MINUTE_MS)
        await until(receipt_waits, "a receipt waits for the ministry")
        await self.end("huyen")
        await self.offices["tw"].submit(letter(MINIMAL, TW, HUYEN, 80), "for huyen")
        await until(packet_waits, "a packet of the centre's is in our custody")
        await self.end("tw")

    async def roads_fail(self) -> None:
        """Let nobody answer any more, until every road's next attempt is some time ahead."""
        for _ in range(ROUNDS_OF_FAILURE):
            self.clock.advance(MINUTE_MS)
            await until(self._failed_again, "every road has failed again")
        while not await self._failed_again(CALM_MS):
            self.clock.advance(MINUTE_MS)
            await until(self._failed_again, "every road has failed again")

    async def _failed_again(self, ahead_ms: int = 0) -> bool:
        peers, hooks = await self.tinh.node.list_peers(), await self.tinh.node.list_hooks()
        attempts_ms = [peer.next_attempt_ms for peer in peers if peer.node_id != "kin"]
        attempts_ms += [hook.next_attempt_ms for hook in hooks]
        return min(attempts_ms) > self.clock.now_ms() + ahead_ms


def _world(folder: Path, now_ms: int, closes_ms: int) -> World:
    """Make the homes. One unit of the ministry's is to close while the ministry is away."""
    world = build(folder, "Cơ quan mẫu", PLACES, now_ms)
    # Deadlines are reckoned by it, so a later table must not change what is said.
    shutil.copy(SHIPPED, world.home("tinh").path)
    with world.home("bo").editing_zone() as zone:
        zone.close_unit(parse_code(VU), closes_ms)
    authority = Authority.open(folder / AUTHORITY)
    authority.take(sign_zone(world.home("bo"))[0], now_ms)
    authority.publish(now_ms)
    for place in PLACES:
        TrustedFolder(world.home(place.node_id).directory).update_from(authority.public, now_ms)
    return world


def _settings(home: Path) -> Settings:
    settings = load_settings(home)
    return SettingsOfSmallPieces.model_construct(**{name: getattr(settings, name) for name in Settings.model_fields})


async def _take_notice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def _is_refused(office: Office, packet_id: bytes) -> bool:
    try:
        _, chunks = await office.node.fetch(office.system, packet_id, "", lease_ms=NO_LEASE)
        async for _ in chunks:
            pass
    except Fault:
        return True
    return False


def _tables() -> list[str]:
    """Return the first octets of all tables, as the map of keys draws them."""
    return re.findall(r"^ {6}(\w) {4}\w", keys.__doc__ or "", re.MULTILINE)


def _rows_by_table(tx: Tx) -> dict[str, int]:
    return {octet: len(tx.scan(octet.encode(), limit=10_000)) for octet in _tables()}


def _require_every_table(rows: dict[str, int]) -> None:
    print("rows:", " ".join(f"{octet} {count}" for octet, count in rows.items()))
    empty = [octet for octet, count in rows.items() if not count]
    assert not empty, f"nothing lies in the tables {empty}: let fill.py put something there"


# --- what is kept ---------------------------------------------------------------------------------------------------


def pack(filling: Filling, archive: Path) -> None:
    """Pack a home that nobody uses, but for RocksDB's own log, and beside it what its authority, its software and a peer have."""
    upload = filling.folder / UPLOAD
    upload.write_bytes(filling.upload)
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        packed.add(filling.world.home("tinh").path, "home", filter=_kept)
        packed.add(filling.folder / AUTHORITY, AUTHORITY_FOLDER, filter=_kept)
        packed.add(upload, UPLOAD, filter=_kept)
        for name in (QLVB, MOT_CUA):
            packed.add(filling.folder / f"tinh-{name}.json", f"{CREDENTIALS}/{name}.json", filter=_kept)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if re.search(r"/store/LOG(\.old\.\d+)?$", member.name):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


async def ask(archive: Path, facts: Facts) -> Facts:
    """Open a packed home somewhere else and return what the node says; the archive stays as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        home = unpack(archive, Path(scratch))
        running = await start(home, load_settings(home), clock=HeldClock(facts["now_ms"]))
        try:
            await owed(running, facts)
            return {"answers": await answers(running, facts), "repeats": await repeats(running, facts)}
        finally:
            await running.stop()


def build_wheel(folder: Path) -> None:
    """Build the wheel of this checkout, as deploy/wheels does."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}, check=True)


async def make(folder: Path) -> None:
    """Fill a home and keep it in a folder, with what is needed to ask it and what it said."""
    with tempfile.TemporaryDirectory() as scratch:
        filling = Filling(Path(scratch))
        now_ms = await filling.fill()
        pack(filling, folder / ARCHIVE)
        facts: Facts = {
            "now_ms": now_ms,
            "node_id": "tinh",
            "systems": {
                one.system.name: sorted(one.system.units) for one in filling.world.home("tinh").systems().list()
            },
            "bridge": dict(filling.world.bridges[QLVB]),
            "replayed_order": filling.replayed.decode("latin-1"),
            "upload": {"peer": "bo", "token": filling.token.hex(), "durable_bytes": UPLOADED_BYTES},
            "owed": filling.owed,
            "sent": filling.sent,
            "received": filling.received,
        }
    facts |= await ask(folder / ARCHIVE, facts)
    (folder / FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")


def main() -> None:
    """Make a fixture."""
    parser = argparse.ArgumentParser(description="Fill a home with the code on the path and keep it as a fixture.")
    parser.add_argument("folder", type=Path, help="tests/versions/NAME; must not exist")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    configure("error", "console")
    begun_s = time.monotonic()
    try:
        build_wheel(folder)
        asyncio.run(make(folder))
    except BaseException:
        shutil.rmtree(folder)
        raise
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size:,} bytes")
    print(f"filled in {time.monotonic() - begun_s:.1f} s")


if __name__ == "__main__":
    main()
