"""Wanted: what to ask a peer for next, when it says that it has a newer edition: a few rounds, each bounded by what the one before proved.

First the timestamp (with the roots that may follow ours, should its key be a new one). Only if the trusted key says that it is newer
is the snapshot asked for, then targets, then the nodes' roles, then their files; each is as long as signed metadata says, and what we
hold already is not asked for at all. The peer's word decides nothing. Nothing is believed here: that is for update_from, when all of
it lies in a folder.
"""

from collections.abc import Iterator
from pathlib import Path

from node.directory.delegation import grants_of
from node.directory.files import Files
from node.directory.grant import Grant
from node.directory.layout import (
    FILE_BYTES_MAX,
    ROOT_BYTES_MAX,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TIMESTAMP_BYTES_MAX,
    role_path,
    root_path,
    target_path,
)
from node.directory.root import read_root
from node.directory.trust.edition import Edition
from node.directory.trust.verify import Offered, newer_timestamp, tuf_faults
from node.directory.tufapi import LengthOrHashMismatchError, Metadata, MetaFile, Snapshot, TargetFile, Targets
from node.errors import Broken
from node.model.reason import Reason

ROOTS_AHEAD = 64
"""Roots asked for beyond ours; one is made when a key of the authority is exchanged."""


class Wanted:
    """Works out one round: `bounds` are the files to ask for, with the most octets that each may have; none: everything is there."""

    def __init__(self, anchor: bytes, before: Edition | None, found: Files, now_ms: int, scratch: Path) -> None:
        """Take what is trusted, what has come so far, and an empty folder. Raises Broken for what has come and is not right."""
        self._anchor = anchor
        self._before = before
        self._found = found
        self.bounds: dict[str, int] = {}
        if found(TIMESTAMP) is None:
            self._ask_for_the_timestamp()
            return
        with tuf_faults(Offered(found)):
            self._follow(now_ms, scratch)

    def _ask_for_the_timestamp(self) -> None:
        newest = read_root(self._anchor).version
        while self._before is not None and root_path(newest + 1) in self._before.index.files:
            newest += 1
        self.bounds = {root_path(newest + ahead): ROOT_BYTES_MAX for ahead in range(1, ROOTS_AHEAD + 1)}
        self.bounds[TIMESTAMP] = TIMESTAMP_BYTES_MAX

    def _follow(self, now_ms: int, scratch: Path) -> None:
        """Go as far as what has come leads."""
        trusted = self._before.roots_and_timestamp() if self._before else {}
        meta = newer_timestamp(self._anchor, trusted, Offered(self._found), now_ms, scratch).snapshot_meta
        snapshot = self._need(SNAPSHOT, meta)
        if snapshot is None:
            return
        listed = Metadata[Snapshot].from_bytes(snapshot).signed.meta
        targets = self._need(TARGETS, listed["targets.json"])
        if targets is None:
            return
        grants = grants_of(Metadata[Targets].from_bytes(targets).signed)
        roles = [(grant, self._role(grant, listed)) for grant in grants]
        if self.bounds:
            return
        for path, info in _targets(roles):
            self._need(path, info)

    def _role(self, grant: Grant, listed: dict[str, MetaFile]) -> bytes | None:
        path = role_path(grant.node_id)
        if f"{grant.node_id}.json" not in listed:
            raise Broken(Reason.DIRECTORY_INVALID, f"{SNAPSHOT} does not list {path}")
        return self._need(path, listed[f"{grant.node_id}.json"])

    def _need(self, path: str, info: MetaFile | TargetFile) -> bytes | None:
        """Return a file that is here already, ours or come; None: it is asked for. Raises Broken if what has come is another one."""
        hashes = info.hashes or {}
        if self._before is not None and self._before.index.files.get(path) == hashes.get("sha256", "-"):
            return self._before.read(path)
        data = self._found(path)
        if data is None:
            self.bounds[path] = min(info.length or FILE_BYTES_MAX, FILE_BYTES_MAX)
            return None
        try:
            info.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise Broken(Reason.DIRECTORY_INVALID, f"{path}: {error}") from error
        return data


def _targets(roles: list[tuple[Grant, bytes | None]]) -> Iterator[tuple[str, TargetFile]]:
    """Yield the granted files of each role; one that is too large is nobody's to fetch (believe.py says so)."""
    for grant, data in roles:
        assert data is not None, "no bounds: every role is here"
        signed = Metadata[Targets].from_bytes(data).signed.targets
        for target in grant.targets():
            if target in signed and signed[target].length <= FILE_BYTES_MAX:
                yield target_path(target), signed[target]
