"""Receiving, from the node to den/: fetch, take the attachments out, make all durable, give it its name, only then acknowledge (law 1)."""

import asyncio
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from node.client import AsyncOffice
from node.directory.files import disk_faults, sync_folder
from node.drop import texts
from node.drop.paperwork import Event, Tell
from node.drop.places import PRIVATE_MODE, STOP_ALL, Places, free, make_durable, open_to_all
from node.errors import Fault, Rejected
from node.model.envelope import PacketKind
from node.model.naming import packet_name
from node.model.office import NO_LEASE, InboxEntry
from node.office.packet_file import Extracted, extract_all

ATTACHMENTS, SUMMARY = "tep-dinh-kem", "thong-tin.txt"


@dataclass
class Receiver:
    """Brings home what waits for the system's units."""

    places: Places
    office: AsyncOffice
    tell: Tell
    _said: dict[bytes, str] = field(default_factory=dict)
    """Words about packets that stay in the inbox, each said once."""

    async def round(self, wall_ms: int) -> None:
        """Bring everything home. Raises what stops all: Deferred, Denied, Broken; a fault of one packet is told."""
        waiting = set()
        async for entry in self.office.inbox():
            waiting.add(_stage_name(entry))
            if entry.lease_until_ms > wall_ms:
                self._leave(entry, "phần mềm khác của cơ quan đang lấy gói này.")
                continue
            try:
                await self._bring(entry)
            except Fault as fault:
                if fault.reason in STOP_ALL:
                    raise
                # Taken back by its author meanwhile, or our disk cannot hold this one: the others may come.
                self._leave(entry, f"{fault.advice} ({fault.detail})", fault.exit_code)

        with disk_faults(self.places.fetching):
            for stage in self.places.fetching.iterdir():
                if stage.name not in waiting:  # it was begun, and has gone out of the inbox since
                    await asyncio.to_thread(shutil.rmtree, stage)

    async def _bring(self, entry: InboxEntry) -> None:
        """Bring one packet home, or only acknowledge it if it came home before we were stopped."""
        name = f"{packet_name(entry)}-{entry.unit}"
        folder = self.places.statuses if entry.kind is PacketKind.STATUS else self.places.arrived
        with disk_faults(folder):
            is_home = await asyncio.to_thread(_is_packet, folder / name / _file_name(entry), entry.packet_sha256)
        if not is_home:
            home = await self._fetch(entry, folder, name)
            self.tell(Event("arrived", home.name, f"từ {entry.sender_name or entry.sender_unit}: {entry.subject}"))
        await self.office.acknowledge(entry.packet_id, entry.unit)
        self._said.pop(entry.packet_id, None)

    async def _fetch(self, entry: InboxEntry, folder: Path, name: str) -> Path:
        """Fetch and lay out a packet in a folder that nobody sees, then give it its name."""
        stage = self.places.fetching / _stage_name(entry)
        packet = stage / _file_name(entry)
        with disk_faults(stage):
            stage.mkdir(mode=PRIVATE_MODE, exist_ok=True)
            if packet.exists() and not await asyncio.to_thread(_is_packet, packet, entry.packet_sha256):
                packet.unlink()
        if not packet.exists():
            # One process has this folder: a lease would only make us wait for ourselves after we were stopped.
            await self.office.fetch_to(entry.packet_id, packet, entry.unit, lease_ms=NO_LEASE)
        files, fault = await asyncio.to_thread(self._take_out, packet, stage / ATTACHMENTS)
        with disk_faults(stage):
            (stage / SUMMARY).write_text(texts.summary(entry, files, fault), "utf-8")
            await asyncio.to_thread(make_durable, stage)
            open_to_all(stage, folder)
            aim = free(folder, name)
            os.rename(stage, aim)
            sync_folder(folder)
        return aim

    def _take_out(self, packet: Path, folder: Path) -> tuple[list[Extracted], str]:
        """Take out the attachments; a packet that cannot be opened is brought home all the same."""
        with disk_faults(folder):
            if folder.exists():
                shutil.rmtree(folder)
        try:
            files = list(extract_all(packet, folder))
        except Rejected as rejected:
            return [], rejected.advice
        with disk_faults(folder):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        return files, ""

    def _leave(self, entry: InboxEntry, said: str, exit_code: int = 0) -> None:
        if self._said.get(entry.packet_id) != said:
            self._said[entry.packet_id] = said
            self.tell(Event("left", packet_name(entry), said, exit_code))


def _file_name(entry: InboxEntry) -> str:
    return f"{packet_name(entry)}.edxml"


def _stage_name(entry: InboxEntry) -> str:
    return f"{entry.packet_id.hex()}-{entry.unit}"


def _is_packet(path: Path, sha256: bytes) -> bool:
    """Tell whether a file is there and holds these octets. Raises OSError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False
