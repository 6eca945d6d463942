"""Publishing: a new snapshot of everything decided, a new timestamp, in the order that never shows half of it.

Snapshot and timestamp rise together and carry digests of what they name, so the directory's version is that of either. A snapshot
never forgets a role, not even a revoked node's: TUF refuses one that does, because forgetting is how a rollback would begin.
"""

import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from node.directory.authority.draft import Draft
from node.directory.authority.whole import follow_up, prepare, show
from node.directory.grant import Grant
from node.directory.layout import (
    ROOT,
    SIGNED_TIME_FIELD,
    SNAPSHOT,
    SNAPSHOT_DAYS,
    TARGETS,
    TIMESTAMP,
    TIMESTAMP_DAYS,
    role_path,
    root_path,
    target_path,
)
from node.directory.root import read_root
from node.directory.rules import refuse
from node.directory.signing import expires, signed
from node.directory.tufapi import (
    CryptoSigner,
    LengthOrHashMismatchError,
    Metadata,
    MetaFile,
    Snapshot,
    Targets,
    Timestamp,
)

Try = Callable[[Path], None]
"""Looks at a whole edition before anybody sees it; raises if it must not be published."""


def publish(draft: Draft, grants: Sequence[Grant], online: CryptoSigner, now_ms: int, attempt: Try) -> int:
    """Publish the draft; return the new version."""
    follow_up(draft)
    version = published_version(draft) + 1
    snapshot = signed(_snapshot(draft, grants, version, now_ms), [online])
    # Before the first public file is written: it refuses a draft that does not fit together.
    keep = _named_paths(draft, grants)
    _show(draft, keep, snapshot, version, online, now_ms, attempt, decided=True)
    draft.finish(keep)
    return version


def refresh(draft: Draft, online: CryptoSigner, now_ms: int, attempt: Try) -> int:
    """Sign what is published anew, with nothing of what has been decided since; return the new version."""
    follow_up(draft)
    version = published_version(draft) + 1
    meta = Metadata[Snapshot].from_bytes(draft.published(SNAPSHOT)).signed.meta
    snapshot = signed(Snapshot(version=version, expires=expires(now_ms, SNAPSHOT_DAYS), meta=meta), [online])
    _show(draft, draft.published_paths(), snapshot, version, online, now_ms, attempt, decided=False)
    return version


def _show(
    draft: Draft,
    paths: Collection[str],
    snapshot: bytes,
    version: int,
    online: CryptoSigner,
    now_ms: int,
    attempt: Try,
    *,
    decided: bool,
) -> None:
    """Put an edition together, try it, show it."""
    new = {SNAPSHOT: snapshot, TIMESTAMP: signed(_timestamp(snapshot, version, now_ms), [online])}
    part = prepare(draft, paths, new, decided=decided)
    try:
        attempt(part)
        show(draft, part, version)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def published_version(draft: Draft) -> int:
    """Return the version of the published directory; 0 before the first."""
    data = draft.read(TIMESTAMP)
    return Metadata[Timestamp].from_bytes(data).signed.version if data is not None else 0


def published_time_ms(draft: Draft) -> int:
    """Return when the published directory was signed, in milliseconds since 1970 UTC."""
    return int(Metadata[Timestamp].from_bytes(draft.need(TIMESTAMP)).signed.unrecognized_fields[SIGNED_TIME_FIELD])


def published_role_version(draft: Draft, node_id: str) -> int:
    """Return the last published version of a node's role, even of one revoked since; 0 if there was none."""
    meta = Metadata[Snapshot].from_bytes(draft.need(SNAPSHOT)).signed.meta.get(f"{node_id}.json")
    return meta.version if meta is not None else 0


def version_of_role(data: bytes) -> int:
    """Return the version of role metadata."""
    return Metadata[Targets].from_bytes(data).signed.version


def _snapshot(draft: Draft, grants: Sequence[Grant], version: int, now_ms: int) -> Snapshot:
    before = draft.read(SNAPSHOT)
    meta = dict(Metadata[Snapshot].from_bytes(before).signed.meta) if before is not None else {}
    meta["targets.json"] = _meta_file(draft.need(TARGETS))
    for grant in grants:
        meta[f"{grant.node_id}.json"] = _meta_file(draft.need(role_path(grant.node_id)))
    return Snapshot(version=version, expires=expires(now_ms, SNAPSHOT_DAYS), meta=meta)


def _timestamp(snapshot: bytes, version: int, now_ms: int) -> Timestamp:
    meta = MetaFile.from_data(version, snapshot, ["sha256"])
    fields = {SIGNED_TIME_FIELD: now_ms}
    return Timestamp(
        version=version, expires=expires(now_ms, TIMESTAMP_DAYS), snapshot_meta=meta, unrecognized_fields=fields
    )


def _meta_file(data: bytes) -> MetaFile:
    return MetaFile.from_data(version_of_role(data), data, ["sha256"])


def _named_paths(draft: Draft, grants: Sequence[Grant]) -> set[str]:
    """Return every path that belongs to the directory now; all others are left from revoked nodes.

    Raises Broken(DIRECTORY_INVALID) if a file is not the one its node signed: taking it broke off, and it must be taken again.
    """
    roots = read_root(draft.need(ROOT)).version
    named = {ROOT, TARGETS, SNAPSHOT, TIMESTAMP, *(root_path(version + 1) for version in range(roots))}
    for grant in grants:
        role = Metadata[Targets].from_bytes(draft.need(role_path(grant.node_id))).signed
        named.add(role_path(grant.node_id))
        for target in set(role.targets) & set(grant.targets()):
            try:
                role.targets[target].verify_length_and_hashes(draft.need(target_path(target)))
            except LengthOrHashMismatchError as error:
                refuse(target, f"{error}; take the zone of {grant.node_id} again")
            named.add(target_path(target))
    return named
