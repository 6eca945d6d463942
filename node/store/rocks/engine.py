"""Engine: RocksDB through rocksdict; with options.py, check.py and salvage.py the only file that knows either.

It obeys what was measured (mesh.md part 0, dependencies.md section 3): raw mode, because anything else unpickles what it reads; never a
synchronous write and never a write that may wait, because both freeze the whole interpreter; recovery that refuses a damaged log
instead of dropping what follows; an iterator's status is asked after every scan, because it ends silently at a damaged block; and all
handles are dropped before closing, because each of them keeps the lock.

Damage that a read meets is that read's alone (damage.py). Compaction reads as well: it copies the bodies of the oldest blob files, and one
of them that is damaged makes RocksDB refuse every write. So as soon as a damaged body was met, blob files are left alone until the next
start: the store grows instead of standing still. Damage in tables cannot be gone round; then the store only reads.
"""

import gc
import os
import re
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from rocksdict import Cache, DBRecoveryMode, Rdict, ReadOptions, WriteBatch, WriteOptions

from node.errors import Broken, Fault
from node.model.policy import MIB
from node.model.reason import Reason
from node.rows import keys
from node.store.damage import Damage, Place
from node.store.embedded.fence import COMMIT_NO, COMMIT_NO_KEY
from node.store.embedded.overlay import Row, Writes
from node.store.embedded.transactions import Stalled
from node.store.files import CompactionStopped, NoSpace
from node.store.rocks.options import BODIES, DEFAULT, FAMILIES, QUEUES, RECOVERY, database_options, family_options

_ABOUT_BLOBS = re.compile(r"Blob CRC|blob (record|log|file)|Blob(File)? |\.blob\b")
SPACE_TO_HEAL_BYTES = 16 * MIB
"""So much must be free, beside the size of the log that is replayed, before a store that met a full disk opens again."""


def translated(error: Exception) -> Exception:
    """Return the meaning of an exception of rocksdict: Stalled, NoSpace, or Broken.

    Its reason is STORE_CORRUPT, HOME_IN_USE, DISK_READ_ONLY or IO_FAILED.
    """
    text = str(error)
    if isinstance(error, Fault):
        return error
    if text.startswith("Result incomplete"):
        return Stalled(text)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return NoSpace(text)
    if "Read-only file system" in text:
        return Broken(Reason.DISK_READ_ONLY, text)
    if "/LOCK: " in text and "Permission denied" not in text:
        return Broken(Reason.HOME_IN_USE, text)
    if text.startswith(("Corruption", "Invalid argument", "Not implemented")):
        return Broken(Reason.STORE_CORRUPT, text)
    return Broken(Reason.IO_FAILED, text)


def successor(prefix: bytes) -> bytes | None:
    """Return the least key above every key that begins with `prefix`; None if there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None


class RocksEngine:
    """A database folder. `write`, `get` and `rows` are called on the loop, `sync` and `heal` by the committer's thread.

    Users on the loop hold `in_use` while they use the database; while `heal` holds it, there is no database. An exception that leaves
    this class keeps no frame with a handle in it (`with_traceback(None)`): that would keep the database locked as long as it lives.
    """

    def __init__(self, folder: Path, damage: Damage | None = None, recovery: DBRecoveryMode = RECOVERY) -> None:
        """Open or create. Raises Broken: HOME_IN_USE, STORE_CORRUPT (nothing is deleted or repaired), IO_FAILED; NoSpace."""
        self.in_use = threading.Lock()
        self.damage = damage or Damage()
        """Rows and bodies that reads could not read."""
        self.failed_write: Broken | None = None
        """A write that failed for a cause that is neither a full disk nor a stall. STORE_CORRUPT: compaction met damage in a table."""
        self._collecting = True
        self._wound: NoSpace | None = None
        """A write that failed since the database was opened."""
        self._folder = folder
        self._recovery = recovery
        self._write_options = WriteOptions()
        self._write_options.no_slowdown = True
        self._db: Rdict | None = None
        self._open()

    def _open(self) -> None:
        refuse_headless(self._folder)
        cache = Cache(16 * MIB)
        families = {
            name: family_options(cache, name, collecting=self._collecting) for name in (DEFAULT, QUEUES, BODIES)
        }
        try:
            db = Rdict(str(self._folder), database_options(cache, self._recovery), families)
            tables = {name: db.get_column_family(name) for name in (QUEUES, BODIES)}
            handles = {name: db.get_column_family_handle(name) for name in (QUEUES, BODIES)}
            self._tables = {octet: tables[name] for octet, name in FAMILIES.items()}
            self._handles = {octet: handles[name] for octet, name in FAMILIES.items()}
            _rehouse(db, self._handles)
            db.flush_wal(True)
        except Exception as error:
            raise translated(error) from error
        self._db, self._wound = db, None

    def _table(self, key: bytes) -> Rdict:
        assert self._db is not None, "the store is closed"
        return self._tables.get(key[0], self._db)

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None. Raises Broken(STORE_CORRUPT)."""
        try:
            value: bytes | None = self._table(key).get(key)
        except Exception as error:
            raise self._unreadable(error) from error.with_traceback(None)
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, in order; those of one family are read together. Raises Broken(STORE_CORRUPT)."""
        if len(keys) == 1:
            return [self.get(keys[0])]  # most packets have one recipient, and reading together costs more than it saves
        places: dict[int, tuple[Rdict, list[int]]] = {}
        for place, key in enumerate(keys):
            table = self._table(key)
            places.setdefault(id(table), (table, []))[1].append(place)
        found: list[bytes | None] = [None] * len(keys)
        try:
            for table, numbers in places.values():
                values: Any = table.get([keys[number] for number in numbers])
                for place, value in zip(numbers, values, strict=True):
                    found[place] = value
        except Exception as error:
            raise self._unreadable(error) from error.with_traceback(None)
        return found

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        """Return up to `limit` rows under `prefix` and not below `start`. Raises Broken(STORE_CORRUPT)."""
        try:
            return _scan(self._table(prefix), prefix, max(prefix, start), limit)
        except Exception as error:
            raise self._unreadable(error) from error.with_traceback(None)

    def write(self, writes: Writes, commit_no: int) -> None:
        """Apply all or nothing, unsynced. Raises Stalled, NoSpace or Broken; then nothing was applied."""
        assert self._db is not None
        try:
            self._db.write(self._batch_of(writes, commit_no), self._write_options)
        except Exception as error:
            raise self._unwritten(error) from error.with_traceback(None)

    def _batch_of(self, writes: Writes, commit_no: int) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        put, delete, family_of = batch.put, batch.delete, self._handles.get
        for key, value in writes.items():
            if value is None:
                delete(key, family_of(key[0]))
            else:
                put(key, value, family_of(key[0]))
        put(COMMIT_NO_KEY, COMMIT_NO.pack(commit_no))
        return batch

    def _unreadable(self, error: Exception) -> Exception:
        meaning = translated(error)
        if isinstance(meaning, Broken):
            is_blob = _ABOUT_BLOBS.search(meaning.detail) is not None
            self.damage.met(Place.BLOB if is_blob else Place.TABLE, meaning.detail)
            if is_blob:
                self._stop_collecting()
        return meaning

    def _stop_collecting(self) -> None:
        if self._collecting:
            self._collecting = False
            with suppress(Exception):  # it is about to fail anyway, and heals by being opened anew
                self._tables[keys.BODY[0]].set_options({"enable_blob_garbage_collection": "false"})

    def _unwritten(self, error: Exception) -> Exception:
        meaning = translated(error)
        if isinstance(meaning, Stalled):
            return meaning
        if isinstance(meaning, Broken) and self._collecting and _ABOUT_BLOBS.search(meaning.detail):
            self.damage.met(Place.BLOB, meaning.detail)
            self._collecting = False
            meaning = CompactionStopped(meaning.detail)
        if isinstance(meaning, NoSpace):
            self._wound = meaning
        else:
            self._wound = NoSpace("a write has failed since the last flush")
            self.failed_write = meaning if isinstance(meaning, Broken) else Broken(Reason.IO_FAILED, str(meaning))
        return meaning

    def sync(self) -> None:
        """Make durable what was written before the call. Raises NoSpace or Broken(IO_FAILED)."""
        assert self._db is not None
        # After a failed append RocksDB answers a flush of the log with an error of another kind.
        if self._wound is not None:
            raise type(self._wound)("a write has failed since the last flush")
        try:
            self._db.flush_wal(True)
        except Exception as error:
            raise self._unwritten(error) from error

    def heal(self) -> int:
        """When there is space again, open the database anew; return the commit number that it is found at.

        RocksDB's own way back from a full disk gets stuck (rocksdb issues 8217, 9762, 11643; seen here in one trial of two),
        and a log whose flush failed cannot be flushed again and believed. Opening reads what is really on disk and makes it
        durable as tables, as at every start. Raises NoSpace while the disk is full, Broken as the constructor.
        """
        self._look_for_space()
        if self._db is not None:
            self.in_use.acquire()
            self._shut()
        self._open()
        commit_no = self.get(COMMIT_NO_KEY)
        self.in_use.release()
        return int(COMMIT_NO.unpack(commit_no)[0]) if commit_no else 0

    def _look_for_space(self) -> None:
        log_bytes = sum(path.stat().st_size for path in self._folder.glob("*.log"))
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < log_bytes + SPACE_TO_HEAL_BYTES:
            raise NoSpace(f"{log_bytes + SPACE_TO_HEAL_BYTES} octets must be free")

    def close(self) -> None:
        """Let go of the files; the same process can open them again."""
        if self._db is not None:
            self._shut()

    def _shut(self) -> None:
        db, self._db = self._db, None
        assert db is not None
        tables = [*{id(table): table for table in self._tables.values()}.values(), db]
        # The lock is held for as long as any handle lives (dependencies.md section 3).
        del self._tables, self._handles, db
        while tables:
            # Closing flushes, which a wounded database cannot do and complains about; it is closed all the same.
            with suppress(Exception) if self._wound is not None or self.damage.counts[Place.TABLE] else nullcontext():
                tables.pop(0).close()
        gc.collect()


def _scan(table: Rdict, prefix: bytes, start: bytes, limit: int) -> list[Row]:
    bounds = ReadOptions()
    end = successor(prefix)
    if end is not None:
        bounds.set_iterate_upper_bound(end)
    found: list[Row] = []
    at = table.iter(bounds)
    at.seek(start)
    while len(found) < limit and at.valid():
        found.append((at.key(), at.value()))
        at.next()
    at.status()
    return found


def _rehouse(db: Rdict, handles: dict[int, Any]) -> None:
    """Move rows whose table has got a family of its own since they were written; at an ordinary start there are none."""
    for octet, handle in handles.items():
        prefix = bytes([octet])
        while found := _scan(db, prefix, prefix, 1_000):
            batch = WriteBatch(raw_mode=True)
            for key, value in found:
                batch.put(key, value, handle)
                batch.delete(key)
            db.write(batch)


def refuse_headless(folder: Path) -> None:
    """Raise Broken(STORE_CORRUPT) for a folder with data but without CURRENT.

    RocksDB would take it for a new one and delete its files as leftovers.
    """
    if not folder.is_dir() or (folder / "CURRENT").exists():
        return
    data = sorted(file.name for file in folder.iterdir() if file.suffix in (".log", ".sst", ".blob"))
    if data:
        raise Broken(Reason.STORE_CORRUPT, f"{folder} holds {data[0]} but no CURRENT")
