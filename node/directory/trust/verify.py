"""Verification, by TUF's rules, of offered files: signatures, thresholds, digests, rising versions, nothing expired, nothing forgotten.

python-tuf's Updater does the work, in a scratch folder that begins with what is trusted already; the caller keeps the result or
drops the folder. Two things are added. The time comes from outside. And a **fork** is found: the same version with two contents,
both properly signed, which a rule that only compares versions cannot see; it means the authority's keys are used by two.

Any violation refuses the offered files as a whole. One exception: a node's role that has merely run out is that node's own
negligence; it is reported, its former files stay in force, and the rest of the country gets its update.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuf.ngclient import FetcherInterface, Updater  # type: ignore[attr-defined]  # exported without __all__

from node.directory.delegation import grants_of
from node.directory.files import Files, read_file
from node.directory.grant import Grant
from node.directory.layout import (
    FILE_BYTES_MAX,
    MIB,
    ROOT,
    SIGNED_TIME_FIELD,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    role_path,
    root_path,
)
from node.directory.tufapi import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    Metadata,
    RepositoryError,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from node.errors import Broken, Fault
from node.model.reason import Reason


class Fork(Broken):
    """Two contents under one version, both signed. `evidence`: the files that prove it, by name."""

    def __init__(self, detail: str, evidence: dict[str, bytes]) -> None:
        super().__init__(Reason.DIRECTORY_INVALID, f"fork: {detail}")
        self.evidence = evidence


class Offered(FetcherInterface):
    """Files by path from several places, the first that has one; remembers what was asked for last, to name it in faults."""

    def __init__(self, *sources: Files) -> None:
        self._sources = sources
        self.asked = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.asked = url
        for files in self._sources:
            data = files(url)
            if data is not None:
                return (data[start : start + MIB] for start in range(0, len(data), MIB))
        raise DownloadHTTPError(f"{url} is missing", 404)

    def target(self, path: str, info: TargetFile) -> bytes:
        """Return the file that signed metadata describes. Raises like `tuf_faults`."""
        with tuf_faults(self):
            data = self.download_bytes(path, info.length)
            info.verify_length_and_hashes(data)
            return data


@contextmanager
def tuf_faults(offered: Offered) -> Iterator[None]:
    """Translate python-tuf's errors to Broken: DIRECTORY_ROLLED_BACK or DIRECTORY_INVALID, naming the file."""
    try:
        yield
    except BadVersionNumberError as error:
        raise Broken(Reason.DIRECTORY_ROLLED_BACK, f"{offered.asked}: {error}") from error
    except (RepositoryError, DownloadError) as error:
        if isinstance(error.__cause__, Fault):
            raise error.__cause__ from None
        raise Broken(Reason.DIRECTORY_INVALID, f"{offered.asked}: {error}") from error


@dataclass(frozen=True, slots=True)
class Verified:
    """The metadata that TUF lets through: by path (exact octets), the grants in it, and the role by which each node signs its files.

    `roles` has no entry for a node whose role has run out.
    """

    version: int
    signed_time_ms: int
    metadata: dict[str, bytes]
    grants: list[Grant]
    roles: dict[str, Targets]


def verify(anchor: bytes, trusted: Mapping[str, bytes], offered: Offered, now_ms: int, scratch: Path) -> Verified:
    """Verify offered metadata against the anchor (a root) and the metadata trusted so far, by path; empty at first.

    `scratch` is an empty folder that the caller removes. Raises Broken(DIRECTORY_ROLLED_BACK), Broken(DIRECTORY_INVALID), Fork, OSError.
    """
    client = _client(anchor, trusted, offered, now_ms, scratch)
    with tuf_faults(offered):
        client.refresh()
        timestamp = _need(scratch / "timestamp.json")
        _check_timestamp_fork(timestamp, offered.download_bytes(TIMESTAMP, MIB))
        _check_snapshot_fork(client, timestamp, _need(scratch / "snapshot.json"))
        _check_role_forks(client, trusted.get(SNAPSHOT), _need(scratch / "snapshot.json"))
        grants = grants_of(client.targets)
        roles = {grant.node_id: client.role(grant.node_id) for grant in grants}
        metadata = _collect(client, offered, scratch, roles)
    signed_time_ms = int(client.timestamp.unrecognized_fields.get(SIGNED_TIME_FIELD, 0))
    current = {node_id: role for node_id, role in roles.items() if role is not None}
    return Verified(client.timestamp.version, signed_time_ms, metadata, grants, current)


def newer_timestamp(
    anchor: bytes, trusted: Mapping[str, bytes], offered: Offered, now_ms: int, scratch: Path
) -> Timestamp:
    """Verify an offered timestamp (and the roots that lead to it) and return it; nothing else is asked for.

    Raises Broken(DIRECTORY_ROLLED_BACK) if it is not newer than the trusted one, else as `verify`.
    """
    client = _client(anchor, trusted, offered, now_ms, scratch)
    with tuf_faults(offered):
        timestamp = client.only_timestamp()
    ours = trusted.get(TIMESTAMP)
    if ours is not None and timestamp.version <= Metadata[Timestamp].from_bytes(ours).signed.version:
        raise Broken(Reason.DIRECTORY_ROLLED_BACK, f"{TIMESTAMP}: version {timestamp.version} is not newer than ours")
    return timestamp


def _client(anchor: bytes, trusted: Mapping[str, bytes], offered: Offered, now_ms: int, scratch: Path) -> "_Client":
    """Return a client that begins with what is trusted."""
    (scratch / "root_history").mkdir()
    for path, data in trusted.items():
        (scratch / _cache_name(path)).write_bytes(data)
    with tuf_faults(offered):
        return _Client(scratch, offered, anchor, now_ms)


class _Client(Updater):
    """python-tuf's client with our clock. It is a subclass because three things have no public name there: the reference time,
    stopping at the timestamp, and loading a delegated role by its name (the public way tries every delegation's patterns for every
    file: quadratic).
    """

    def __init__(self, scratch: Path, offered: Offered, anchor: bytes, now_ms: int) -> None:
        super().__init__(str(scratch), "metadata/", fetcher=offered, bootstrap=anchor)
        self._trusted_set.reference_time = datetime.fromtimestamp(now_ms / 1000, UTC)

    def only_timestamp(self) -> Timestamp:
        """Load and verify roots and timestamp; the public way goes on to ask for everything."""
        self._load_root()
        self._load_timestamp()
        return self.timestamp

    @property
    def root_version(self) -> int:
        return self._trusted_set.root.version

    @property
    def timestamp(self) -> Timestamp:
        return self._trusted_set.timestamp

    @property
    def snapshot(self) -> Snapshot:
        return self._trusted_set.snapshot

    @property
    def targets(self) -> Targets:
        return self._trusted_set.targets

    def role(self, node_id: str) -> Targets | None:
        """Load and verify a node's role; None if nothing is wrong but its age."""
        try:
            return self._load_targets(node_id, Targets.type)
        except ExpiredMetadataError:
            return None


def _cache_name(path: str) -> str:
    """Return where the Updater keeps a file: roots in a folder of their own, everything else flat."""
    name = path.removeprefix("metadata/")
    return f"root_history/{name}" if name.endswith(".root.json") else name


def _need(path: Path) -> bytes:
    data = read_file(path)
    assert data is not None, "the Updater has just written it"
    return data


def _check_timestamp_fork(kept: bytes, offered: bytes) -> None:
    """Raise Fork for two timestamps of one version: the Updater ignores the offered one, once its signature has proved right."""
    ours, theirs = Metadata[Timestamp].from_bytes(kept), Metadata[Timestamp].from_bytes(offered)
    if ours.signed.version == theirs.signed.version and ours.signed_bytes != theirs.signed_bytes:
        raise Fork(
            f"timestamp version {ours.signed.version} was signed twice with different contents",
            {"timestamp.ours.json": kept, "timestamp.theirs.json": offered},
        )


def _check_snapshot_fork(client: _Client, timestamp: bytes, snapshot: bytes) -> None:
    """Raise Fork for two snapshots of one version: the Updater keeps the trusted one without comparing digests."""
    try:
        client.timestamp.snapshot_meta.verify_length_and_hashes(snapshot)
    except LengthOrHashMismatchError as error:
        detail = f"the timestamp names another snapshot of version {client.snapshot.version}"
        raise Fork(detail, {"timestamp.theirs.json": timestamp, "snapshot.ours.json": snapshot}) from error


def _check_role_forks(client: _Client, before: bytes | None, now: bytes) -> None:
    """Raise Fork for a role that has changed under its version: a digest holds as long as the version does."""
    if before is None:
        return
    for name, ours in Metadata[Snapshot].from_bytes(before).signed.meta.items():
        theirs = client.snapshot.meta.get(name)
        if theirs is not None and ours.version == theirs.version and ours.hashes != theirs.hashes:
            detail = f"{name} version {ours.version} exists with two contents"
            raise Fork(detail, {"snapshot.ours.json": before, "snapshot.theirs.json": now})


def _collect(client: _Client, offered: Offered, scratch: Path, roles: Mapping[str, Targets | None]) -> dict[str, bytes]:
    """Return all metadata by path, as it can be served to others."""
    roots = sorted((scratch / "root_history").glob("*.root.json"))
    found = {f"metadata/{path.name}": _need(path) for path in roots}
    found[ROOT] = found[root_path(client.root_version)]
    for path in (TIMESTAMP, SNAPSHOT, TARGETS):
        found[path] = _need(scratch / _cache_name(path))
    for node_id, role in roles.items():
        path = role_path(node_id)
        found[path] = _need(scratch / _cache_name(path)) if role is not None else _expired(client, offered, node_id)
    return found


def _expired(client: _Client, offered: Offered, node_id: str) -> bytes:
    """Return a role that has run out: others need it to follow, and find out for themselves that it has run out."""
    data = offered.download_bytes(role_path(node_id), FILE_BYTES_MAX)
    client.snapshot.meta[f"{node_id}.json"].verify_length_and_hashes(data)
    return data
