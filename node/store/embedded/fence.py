"""Fence: may this store write? It may not if it has gone back in time, which its identity and its witness show.

A database whose tail was lost, or that was restored from an old copy, opens without complaint in every mode of RocksDB
(mesh.md F4). A node that went on from there would have forgotten what it has signed for. So the witness, a small file beside
the database, remembers how far the store has come. If the database knows less than the witness, or is another incarnation, or
if there is no witness at all, the store is fenced: it can be read, it cannot be written, and it says why. The witness is
written after the commit that it tells of, so it can only lag and gives no false alarm.

    database            witness                 what it means                                     outcome
    ------------------  ----------------------  ------------------------------------------------  -------
    empty               none, or at commit 0    first start (or one that was cut short)            open
    empty               at commit n > 0         the database folder was lost                       fenced
    at commit n         none                    only the database was copied or restored           fenced
    another incarnation any                     database and witness do not belong together        fenced
    at commit n         at commit m > n         a lost tail or an old copy                         fenced
    at commit n         at commit m <= n        as it should be                                    open

An operator may decide to lift a fence (`accept_rollback`). That starts a new incarnation and leaves a row that tells of it.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from node.errors import Broken
from node.model.reason import Reason
from node.rows import keys
from node.store.embedded.overlay import Writes

SCHEMA = 1
"""Version of the key map and records. A store with a higher one was written by a newer program and is not touched."""

INCARNATION_BYTES = 16

_SCHEMA, _NODE_ID, _INCARNATION = keys.meta("schema"), keys.meta("node_id"), keys.meta("incarnation")
COMMIT_NO_KEY = keys.meta("commit_no")
COMMIT_NO = struct.Struct(">Q")
_SCHEMA_NO = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Fence:
    """The cause for which a store only reads. `reason` is STORE_ROLLED_BACK, or STORE_CORRUPT if damage was met while it was open."""

    reason: Reason
    detail: str
    db_commit_no: int
    witness_commit_no: int


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a store and the number of its newest commit."""

    node_id: str
    incarnation: bytes
    commit_no: int


def read_identity(get: Callable[[bytes], bytes | None]) -> Identity | None:
    """Read the identity of a store; None if it is empty. Raises Broken(STORE_NEWER), Broken(STORE_CORRUPT)."""
    schema = get(_SCHEMA)
    if schema is None:
        return None
    number = int(_SCHEMA_NO.unpack(schema)[0])
    if number > SCHEMA:
        raise Broken(Reason.STORE_NEWER, f"the store has schema {number}, this program knows {SCHEMA}")
    node_id, incarnation, commit_no = get(_NODE_ID), get(_INCARNATION), get(COMMIT_NO_KEY)
    if node_id is None or incarnation is None or commit_no is None:
        raise Broken(Reason.STORE_CORRUPT, "rows that tell whose store this is are missing")
    return Identity(node_id.decode(), incarnation, int(COMMIT_NO.unpack(commit_no)[0]))


def identity_rows(identity: Identity) -> Writes:
    """Return the rows that hold an identity, except for the commit number, which every commit carries."""
    return {
        _SCHEMA: _SCHEMA_NO.pack(SCHEMA),
        _NODE_ID: identity.node_id.encode(),
        _INCARNATION: identity.incarnation,
    }


def rollback_row(fence: Fence, incarnation: bytes) -> Writes:
    """Return the row by which later readers learn of a rollback that an operator accepted with this new incarnation."""
    value = COMMIT_NO.pack(fence.db_commit_no) + COMMIT_NO.pack(fence.witness_commit_no) + fence.detail.encode()
    return {keys.meta("rollback." + incarnation.hex()): value}


def judge(database: Identity | None, witnessed: tuple[bytes, int] | None) -> Fence | None:
    """Compare a database with its witness (incarnation, commit number) by the table above; None: it may write."""
    db_no = database.commit_no if database else 0
    witness_no = witnessed[1] if witnessed else 0
    detail = _contradiction(database, witnessed)
    return Fence(Reason.STORE_ROLLED_BACK, detail, db_no, witness_no) if detail else None


def _contradiction(database: Identity | None, witnessed: tuple[bytes, int] | None) -> str:
    if database is None:
        if witnessed is None or witnessed[1] == 0:
            return ""
        return f"the database is empty, but the witness has seen commit {witnessed[1]}"
    if witnessed is None:
        return "the witness file beside the database is missing or damaged"
    if witnessed[0] != database.incarnation:
        return "the database and its witness are of different incarnations"
    if database.commit_no < witnessed[1]:
        return f"the database ends at commit {database.commit_no}, the witness has seen {witnessed[1]}"
    return ""
