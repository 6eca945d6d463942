"""Check: may this program open that store? It is asked before an upgrade and before a way back, of a store that may be in use.

RocksDB opens a folder for reading only without taking its lock and without changing a file, which `RocksStore.open` cannot promise: it
replays the log into tables. So nothing has happened yet when the answer is no.
"""

from pathlib import Path

from rocksdict import AccessType, Options, Rdict

from node.errors import Broken
from node.model.reason import Reason
from node.store.embedded.fence import read_identity
from node.store.rocks.engine import refuse_headless, translated


def check_store(folder: Path, node_id: str) -> None:
    """Return if a node of this id could open the store with this program, or if there is none yet.

    Raises Broken: STORE_NEWER, STORE_CORRUPT, SETTINGS_INVALID (the store is another node's), IO_FAILED.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    refuse_headless(folder)
    try:
        db = Rdict(str(folder), Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception as error:
        raise translated(error) from error.with_traceback(None)
    try:
        identity = read_identity(db.get)
    finally:
        db.close()
    if identity is not None and identity.node_id != node_id:
        raise Broken(Reason.SETTINGS_INVALID, f"this store belongs to {identity.node_id}, not to {node_id}")
