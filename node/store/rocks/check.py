"""Check: may this program open that store? It is asked before an upgrade and before a way back, of a store that may be in use.

RocksDB opens a folder for reading only without taking its lock and without changing a file, which `RocksStore.open` cannot promise: it
replays the log into tables. So nothing has happened yet when the answer is no.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocksdict import AccessType, Cache, DBRecoveryMode, Rdict

from node.errors import Broken, Fault
from node.model.policy import MIB
from node.model.reason import Reason
from node.store.embedded.fence import Identity, read_identity
from node.store.rocks.engine import refuse_headless, translated
from node.store.rocks.options import RECOVERY, database_options, family_options


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
    with _reading(folder, recovery) as get:
        return read_identity(get)


@contextmanager
def _reading(folder: Path, recovery: DBRecoveryMode) -> Iterator[Callable[[bytes], bytes | None]]:
    """Open a folder without its lock and without changing it; give a function that reads a row. Raises Broken as RocksEngine."""
    # RocksDB's own LOG goes elsewhere: root, who examines a node, must not leave files of his in its folder.
    with tempfile.TemporaryDirectory(prefix="truc-") as logs:
        db = _opened_to_read(folder, recovery, logs)
        try:
            yield db.get
        except Fault:
            raise
        except Exception as error:
            raise translated(error) from error.with_traceback(None)
        finally:
            db.close()


def _opened_to_read(folder: Path, recovery: DBRecoveryMode, logs: str) -> Rdict:
    cache = Cache(1 * MIB)
    options = database_options(cache, recovery)
    options.set_db_log_dir(logs)
    try:
        families = {name: family_options(cache, name) for name in Rdict.list_cf(str(folder))}
        return Rdict(str(folder), options, families, access_type=AccessType.read_only())
    except Exception as error:
        raise translated(error) from error.with_traceback(None)
