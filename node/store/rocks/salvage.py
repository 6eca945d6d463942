"""Salvage: opens a store whose log is damaged at the last good point before the damage, when an operator asks for it.

A node refuses such a log (engine.RECOVERY), because what follows the damage was answered for and would be forgotten silently. Salvage
forgets it loudly: everything that lies in the folder is put aside first, then the log is replayed up to the damage, and the witness is
made to stand above what is there, so the store opens fenced until `truc node accept-rollback`.

Tables and blob files are put aside as second names of the same files (they are never changed, only removed); all else is copied.
"""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rocksdict import DBRecoveryMode

from node.errors import Broken
from node.model.reason import Reason
from node.store.embedded.fence import Identity
from node.store.files import no_space_told, sync_folder
from node.store.rocks.check import look_at_store
from node.store.rocks.engine import RocksEngine
from node.store.rocks.witness import Witness

_UP_TO_THE_DAMAGE = DBRecoveryMode.point_in_time()
_NEVER_CHANGED = (".sst", ".blob")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The outcome. `damage` "": the log is whole and nothing was done. `aside` None: nothing was changed."""

    damage: str
    commit_no: int
    """The newest commit that is there."""
    witness_commit_no: int
    """The newest commit that the witness has seen; 0 without one. More may have followed, but it was answered at the latest then."""
    log_bytes: int
    """Octets of log, of which some part is cut."""
    aside: Path | None = None


def salvage(folder: Path, witness_path: Path, node_id: str, aside: Path | None) -> Salvaged:
    """Open a store at the last good point of its log, after putting what is there into the new folder `aside`; None: only look.

    Raises Broken: HOME_IN_USE, HOME_MISSING (no store), STORE_CORRUPT (damage outside of the log, which this cannot go round),
    STORE_NEWER, SETTINGS_INVALID (another node's), ALREADY_EXISTS; as RocksStore.open. Nothing is changed then but for `aside`.
    """
    with no_space_told():
        _require_alone(folder)
        damage = _log_damage(folder)
        identity = look_at_store(folder, _UP_TO_THE_DAMAGE)
        if identity is not None and identity.node_id != node_id:
            raise Broken(Reason.SETTINGS_INVALID, f"this store belongs to {identity.node_id}, not to {node_id}")
        witnessed = Witness.read(witness_path)
        found = Salvaged(
            damage=damage,
            commit_no=identity.commit_no if identity else 0,
            witness_commit_no=witnessed[1] if witnessed else 0,
            log_bytes=sum(path.stat().st_size for path in folder.glob("*.log")),
        )
        if not damage or aside is None:
            return found
        _put_aside(folder, witness_path, aside)
        _stand_above(witness_path, identity, witnessed)
        RocksEngine(folder, recovery=_UP_TO_THE_DAMAGE).close()
        return Salvaged(found.damage, found.commit_no, found.witness_commit_no, found.log_bytes, aside)


def _require_alone(folder: Path) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        raise Broken(Reason.HOME_MISSING, f"there is no store at {folder}")
    try:
        with (folder / "LOCK").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError as error:
        raise Broken(Reason.HOME_IN_USE, str(folder)) from error


def _log_damage(folder: Path) -> str:
    try:
        look_at_store(folder)
    except Broken as fault:
        if fault.reason is not Reason.STORE_CORRUPT:
            raise
        return fault.detail
    return ""


def _put_aside(folder: Path, witness_path: Path, aside: Path) -> None:
    try:
        aside.mkdir(mode=0o700)
    except FileExistsError as error:
        raise Broken(Reason.ALREADY_EXISTS, str(aside)) from error
    for path in folder.iterdir():
        if path.suffix in _NEVER_CHANGED:
            os.link(path, aside / path.name)
        else:
            _copy(path, aside / path.name)
    if witness_path.exists():
        _copy(witness_path, aside / witness_path.name)
    sync_folder(aside)
    sync_folder(aside.parent)


def _copy(source: Path, target: Path) -> None:
    shutil.copy2(source, target)
    fd = os.open(target, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _stand_above(witness_path: Path, identity: Identity | None, witnessed: tuple[bytes, int] | None) -> None:
    """Let the witness know of one commit more than will be found: it may lag, and what was cut is more than nothing.

    Without a witness, or with another store's, the store opens fenced as it is. The witness goes first, so a cut in between is harmless.
    """
    if identity is None or witnessed is None or witnessed[0] != identity.incarnation:
        return
    if witnessed[1] <= identity.commit_no:
        witness = Witness(witness_path)
        witness.create(identity.incarnation, identity.commit_no + 1)
        witness.close()
