"""Check: may this program open that store? It is asked before an upgrade and before a way back, of a store that may be in use.

RocksDB opens a folder for reading only without taking its lock and without changing a file, which `RocksStore.open` cannot promise: it
replays the log into tables. So nothing has happened yet when the answer is no.
"""

from pathlib import Path

from rocksdict import DBRecoveryMode

from node.errors import Broken
from node.model.reason import Reason
from node.store.embedded.fence import Identity, read_identity
from node.store.rocks.engine import RECOVERY, reading, refuse_headless


def check_store(folder: Path, node_id: str) -> None:
    """Return if a node of this id could open the store with this program, or if there is none yet.

    Raises Broken: STORE_NEWER, STORE_CORRUPT, SETTINGS_INVALID (the store is another node's), IO_FAILED.
    """
    identity = look_at_store(folder)
    if identity is not None and identity.node_id != node_id:
        raise Broken(Reason.SETTINGS_INVALID, f"this store belongs to {identity.node_id}, not to {node_id}")


def look_at_store(folder: Path, recovery: DBRecoveryMode = RECOVERY) -> Identity | None:
    """Return whose store it is and how far it has come, changing nothing; None if there is none. Raises Broken as `check_store`."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    refuse_headless(folder)
    with reading(folder, recovery) as get:
        return read_identity(get)
