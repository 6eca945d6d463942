"""Witness: a file of two 512-octet slots beside the database that remembers how far the store has come (store/embedded/fence.py).

    0    8          24         32      36
    +----+----------+----------+-------+----------
    magic incarnation commit no crc-32  zeros ...       big-endian; the checksum covers the octets before it

Slots are written in turn, so a torn write spoils one and leaves the other, which is a commit older. Writing costs a
microsecond; it is made durable about once a second or every 1,000 commits, because it may lag.
"""

import os
import struct
import time
import zlib
from pathlib import Path

from node.store.files import NoSpace, OnFatal, end_process, is_no_space, sync_file, sync_folder, write_all

MAGIC = b"TRUCWIT1"
SLOT_BYTES = 512
SYNC_EVERY_S = 1.0
SYNC_EVERY_COMMITS = 1_000

_SLOT = struct.Struct(">8s16sQ")
_CRC = struct.Struct(">I")


def pack_slot(incarnation: bytes, commit_no: int) -> bytes:
    """Return one slot."""
    head = _SLOT.pack(MAGIC, incarnation, commit_no)
    return (head + _CRC.pack(zlib.crc32(head))).ljust(SLOT_BYTES, b"\0")


def unpack_slot(slot: bytes) -> tuple[bytes, int] | None:
    """Return (incarnation, commit number) of a slot; None if it is not whole."""
    head, tail = slot[: _SLOT.size], slot[_SLOT.size : _SLOT.size + _CRC.size]
    if len(tail) < _CRC.size or _CRC.unpack(tail)[0] != zlib.crc32(head):
        return None
    magic, incarnation, commit_no = _SLOT.unpack(head)
    return (incarnation, commit_no) if magic == MAGIC else None


class Witness:
    """The file. Used by one thread at a time."""

    def __init__(self, path: Path, on_fatal: OnFatal = end_process) -> None:
        self.witnessed = self.read(path)
        """(incarnation, commit number) as found or last written; None: there is none."""
        self._path = path
        self._on_fatal = on_fatal
        self._fd = os.open(path, os.O_RDWR) if self.witnessed else -1
        self._turn = 0
        self._unsynced = 0
        self._synced_at = time.monotonic()

    @staticmethod
    def read(path: Path) -> tuple[bytes, int] | None:
        """Return (incarnation, commit number) as a file says; None if there is none, or it is not whole."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        slots = (unpack_slot(content[at : at + SLOT_BYTES]) for at in (0, SLOT_BYTES))
        return max((slot for slot in slots if slot), key=lambda slot: slot[1], default=None)

    def create(self, incarnation: bytes, commit_no: int) -> None:
        """Begin anew, durably: both slots say the same."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        write_all(self._fd, pack_slot(incarnation, commit_no) * 2, 0)
        self.witnessed = (incarnation, commit_no)
        self.sync()
        sync_folder(self._path.parent, self._on_fatal)

    def note(self, commit_no: int) -> None:
        """Remember that everything up to `commit_no` is durable. On a full disk it lags (file systems that copy on write)."""
        assert self.witnessed is not None
        incarnation, before = self.witnessed
        if commit_no <= before:
            return
        try:
            write_all(self._fd, pack_slot(incarnation, commit_no), SLOT_BYTES * self._turn)
        except OSError as error:
            if is_no_space(error):
                return
            raise
        self._turn = 1 - self._turn
        self.witnessed = (incarnation, commit_no)
        self._unsynced += commit_no - before
        if self._unsynced >= SYNC_EVERY_COMMITS or time.monotonic() - self._synced_at >= SYNC_EVERY_S:
            self.sync()

    def sync_in_s(self) -> float | None:
        """Return in how many seconds `sync` is due; None if nothing waits for it."""
        return max(0.0, self._synced_at + SYNC_EVERY_S - time.monotonic()) if self._unsynced else None

    def sync(self) -> None:
        """Make it durable. On a full disk it lags a little more; that is harmless, and it is tried again in the next second."""
        self._synced_at = time.monotonic()
        try:
            sync_file(self._fd, self._on_fatal)
        except NoSpace:
            return
        self._unsynced = 0

    def close(self) -> None:
        """Make it durable and let go of it."""
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
            self._fd = -1
