"""Store that is durable: RocksDB, a committer and a witness, joined to a ports.Store.

    transact --> engine.write (loop, unsynced) --> group.settled ...  committer thread: flush_wal, tell the loop, note witness

On a full disk new writes are refused at once, with DISK_FULL, until the committer has opened the database anew because there is
space again. Rows that a failed flush left visible are not spoken about: a transaction that reads them meanwhile gets DISK_FULL, too.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from node.errors import Broken, Deferred, Fault
from node.model.reason import Reason
from node.ports import Tx
from node.store.damage import Damage
from node.store.embedded.fence import (
    INCARNATION_BYTES,
    Fence,
    Identity,
    identity_rows,
    judge,
    read_identity,
    rollback_row,
)
from node.store.embedded.group_commit import Group
from node.store.embedded.overlay import OverlayTx
from node.store.embedded.transactions import TransactionStore
from node.store.files import NoSpace, OnFatal, end_process, no_space_told, sync_folder
from node.store.rocks.committer import Committer
from node.store.rocks.engine import RocksEngine
from node.store.rocks.witness import Witness
from node.store.timing import Histogram

T = TypeVar("T")


class RocksStore(TransactionStore):
    """Open with `RocksStore.open`. Belongs to the loop on which `transact` is first awaited."""

    def __init__(
        self, engine: RocksEngine, witness: Witness, identity: Identity, fence: Fence | None, on_fatal: OnFatal
    ):
        self._rocks = engine
        self._witness = witness
        self._identity = identity
        self._on_fatal = on_fatal
        self._committer = Committer(engine, witness, on_fatal)
        group = Group(lambda mark: self._committer.begin(self._group, mark), identity.commit_no)
        super().__init__(engine, group, fence)

    @classmethod
    def open(
        cls,
        path: Path,
        witness_path: Path,
        *,
        node_id: str,
        on_fatal: OnFatal = end_process,
        damage: Damage | None = None,
    ) -> "RocksStore":
        """Open or create the store of a node; blocks for as long as the log takes to replay.

        A store that has gone back in time opens with `fence` set. Raises Broken: HOME_IN_USE, STORE_CORRUPT, STORE_NEWER,
        SETTINGS_INVALID (the store is another node's), DISK_READ_ONLY, IO_FAILED; Deferred(DISK_FULL). `damage` is told of rows
        that cannot be read.
        """
        with no_space_told():
            _make_folder(path)
            _make_folder(witness_path.parent)
            engine = RocksEngine(path, damage)
            try:
                return cls._admit(engine, Witness(witness_path, on_fatal), node_id, on_fatal)
            except BaseException:
                engine.close()
                raise

    @classmethod
    def _admit(cls, engine: RocksEngine, witness: Witness, node_id: str, on_fatal: OnFatal) -> "RocksStore":
        identity = read_identity(engine.get)
        if identity is not None and identity.node_id != node_id:
            raise Broken(Reason.SETTINGS_INVALID, f"this store belongs to {identity.node_id}, not to {node_id}")
        fence = judge(identity, witness.witnessed)
        if identity is None:
            identity = Identity(node_id, witness.witnessed[0] if witness.witnessed else _new_incarnation(), 0)
            if fence is None:
                _begin_life(engine, witness, identity)
        return cls(engine, witness, identity, fence, on_fatal)

    @property
    def incarnation(self) -> bytes:
        """16 octets that change whenever this store may have forgotten something."""
        return self._identity.incarnation

    @property
    def commit_no(self) -> int:
        """Number of the newest commit that is durable."""
        return self._group.durable_no

    @property
    def trouble(self) -> Reason | None:
        """The cause for which it takes no writes now (NODE_FENCED, DISK_FULL, IO_FAILED); None: it takes them."""
        trouble = self._group.trouble
        if self.fence is not None:
            return Reason.NODE_FENCED
        return trouble.reason if trouble is not None else None

    @property
    def damage(self) -> Damage:
        """Damage that reads have met since it was opened."""
        return self._rocks.damage

    @property
    def waits(self) -> Histogram:
        """The times that transactions waited until they were durable."""
        return self._group.waits

    @property
    def flushes(self) -> Histogram:
        """The times that flushes of the log took."""
        return self._committer.flushes

    async def accept_rollback(self) -> None:
        """Lift the fence of a store that has gone back in time: an operator's decision, never the program's.

        Starts a new incarnation above every commit number seen and leaves a `rollback.` row. Raises Broken(STORE_CORRUPT) if
        the fence stands for damage, which no decision heals.
        """
        fence = self.fence
        assert fence is not None, "there is nothing to accept"
        if fence.reason != Reason.STORE_ROLLED_BACK:
            raise Broken(fence.reason, fence.detail)
        commit_no = max(fence.db_commit_no, fence.witness_commit_no) + 1
        identity = Identity(self._identity.node_id, _new_incarnation(), commit_no)
        rows = identity_rows(identity) | rollback_row(fence, identity.incarnation)
        await asyncio.to_thread(_write_identity, self._rocks, self._witness, identity, rows)
        self._identity, self.fence = identity, None
        self._group.written_no = self._group.durable_no = commit_no

    async def close(self) -> None:
        """Make everything durable and release the files. Transactions that cannot end any more get Deferred(SHUTTING_DOWN)."""
        if self._closing:
            return
        self._closing = True
        # If the disk is full, the waiting transactions have been told.
        with contextlib.suppress(Fault):
            await self._group.settled()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._committer.stop()
        self._witness.close()
        self._rocks.close()

    def _attempt(self, fn: Callable[[Tx], T]) -> tuple[T, OverlayTx]:
        if not self._rocks.in_use.acquire(blocking=False):
            trouble = self._group.trouble
            raise Deferred(trouble.reason if trouble else Reason.DISK_FULL, "the store is being opened anew")
        try:
            return super()._attempt(fn)
        finally:
            self._rocks.in_use.release()

    def _no_space(self, error: NoSpace) -> None:
        self._group.refuse(error.reason, str(error))
        self._committer.begin_healing(self._group)

    def _notice(self, error: Exception) -> None:
        """React to a failed write: if damage is in its way only read; one for no known cause is fatal (see files.py)."""
        failed = self._rocks.failed_write
        if failed is None:
            return
        if failed.reason is Reason.STORE_CORRUPT:
            self._close_to_writing(failed)
        else:
            self._group.refuse(Reason.IO_FAILED, str(failed))
            self._on_fatal(error)

    def _close_to_writing(self, failed: Broken) -> None:
        # Writes from before that are not durable yet may still become so: the flush of the log tells.
        if self.fence is None:
            number = self._group.durable_no
            self.fence = Fence(Reason.STORE_CORRUPT, failed.detail, number, number)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        sync_folder(folder.parent)


def _new_incarnation() -> bytes:
    return os.urandom(INCARNATION_BYTES)


def _begin_life(engine: RocksEngine, witness: Witness, identity: Identity) -> None:
    """Write the witness first: after a cut between the two, an empty database with a witness at commit 0 is a first start."""
    if witness.witnessed is None:
        witness.create(identity.incarnation, 0)
    engine.write(identity_rows(identity), 0)
    engine.sync()


def _write_identity(engine: RocksEngine, witness: Witness, identity: Identity, rows: dict[bytes, bytes | None]) -> None:
    """Write the database first: after a cut between the two, the incarnations differ and the fence stands."""
    engine.write(rows, identity.commit_no)
    engine.sync()
    witness.create(identity.incarnation, identity.commit_no)
