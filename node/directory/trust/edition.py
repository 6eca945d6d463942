"""An edition (bản danh bạ): one verified version on disk, and the list of what in it is believed.

    editions/0000000012-5f3a9c1d/   metadata/ targets/   exactly as received: may be served to others, or carried on a stick
                                    kept/                former files of nodes whose new ones broke our rules (believe.py)
                                    index.json           digest of every file; which file describes which node and zone
    current -> editions/…           changed by one rename

Loading trusts the index: it was written after everything had been verified, and digests find a damaged disk. So starting needs no
signature checks, no expiry checks, and not even TUF. Files that did not change are hard links to those of the edition before.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from node.directory.files import disk_faults, read_file, sync_folder, write_file
from node.directory.layout import TIMESTAMP
from node.errors import Broken
from node.model.reason import Reason

FORMAT = 1
EDITIONS_KEPT = 3
"""The current edition and two before it, for whoever is still reading them."""


@dataclass(frozen=True, slots=True)
class NodeUse:
    """Which file describes a node; roles by number; the opaque codes that it was granted, with the time since when."""

    file: str
    roles: list[int]
    leaves: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ZoneUse:
    """Which file lists a zone's units ("" if it has none); `units` outside the `longer` prefixes, which hide the rest."""

    file: str
    node_id: str
    units: int
    longer: list[str]
    held_from_ms: int = 0


@dataclass(frozen=True, slots=True)
class FormerUse:
    """A prefix that a node held before."""

    prefix: str
    node_id: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Index:
    """The contents of an edition. `files`: SHA-256 in hex by path; nodes by id; zones by canonical prefix; findings in words."""

    version: int
    signed_time_ms: int
    files: dict[str, str]
    nodes: dict[str, NodeUse]
    zones: dict[str, ZoneUse]
    findings: list[str]
    former: list[FormerUse] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Edition:
    """A verified version on disk."""

    folder: Path
    index: Index

    def read(self, path: str) -> bytes:
        """Return a file and check its digest. Raises Broken(DIRECTORY_INVALID) if it is damaged or missing."""
        data = read_file(self.folder / path)
        if data is None or digest(data) != self.index.files.get(path):
            raise Broken(
                Reason.DIRECTORY_INVALID, f"{self.folder / path} is damaged; remove 'current' and update again"
            )
        return data

    def find(self, path: str) -> bytes | None:
        """Return a file, or None if the edition has none of that path."""
        return self.read(path) if path in self.index.files else None

    def metadata(self) -> dict[str, bytes]:
        """Return all TUF metadata by path."""
        return {path: self.read(path) for path in self.index.files if path.startswith("metadata/")}

    def roots_and_timestamp(self) -> dict[str, bytes]:
        """Return what a newer timestamp is verified with, by path; little, however many nodes there are."""
        paths = [path for path in self.index.files if path == TIMESTAMP or path.endswith(".root.json")]
        return {path: self.read(path) for path in paths}

    def served(self) -> dict[str, bytes]:
        """Return the SHA-256 (32 octets) of every file that others may have, by path."""
        return {path: bytes.fromhex(sha) for path, sha in self.index.files.items() if not path.startswith("kept/")}


def digest(data: bytes) -> str:
    """Return SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def open_current(home: Path) -> Edition | None:
    """Return the current edition, or None if there is none yet. Raises Broken(DIRECTORY_INVALID) if it is damaged."""
    if not (home / "current").is_symlink():
        return None
    folder = (home / "current").resolve()
    data = read_file(folder / "index.json")
    try:
        return Edition(folder, _index(json.loads(data or b"")))
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{folder / 'index.json'} is damaged or of another version") from error


def write_edition(home: Path, index: Index, files: Mapping[str, bytes], before: Edition | None) -> Edition:
    """Write an edition whole and make it the current one. Raises Deferred(DISK_FULL), Broken(IO_FAILED); the old one stays then."""
    editions = home / "editions"
    with disk_faults(home):
        editions.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=editions, prefix="."))
        try:
            for path, data in files.items():
                _put(part / path, data, _same(before, path, index))
            write_file(part / "index.json", json.dumps({"format": FORMAT, **asdict(index)}, indent=1).encode())
            folder = editions / f"{index.version:010d}-{digest(files['metadata/timestamp.json'])[:8]}"
            # Written before, but never made current (a crash), or `current` was removed because it was damaged.
            if folder.exists():
                shutil.rmtree(folder)
            part.chmod(0o755)  # mkdtemp makes it 0700, and editions are there to be carried to others
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        sync_folder(editions)
        _point(home, folder)
        _forget_old(editions, folder)
    return Edition(folder, index)


def _put(path: Path, data: bytes, same: Path | None) -> None:
    """Write a file, or link it to the one that is there already."""
    if same is None:
        write_file(path, data)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(same, path)


def _same(before: Edition | None, path: str, index: Index) -> Path | None:
    if before is not None and before.index.files.get(path) == index.files[path]:
        return before.folder / path
    return None


def _point(home: Path, folder: Path) -> None:
    """Let `current` name the new edition, by one rename."""
    link = home / ".current"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.relative_to(home))
    os.replace(link, home / "current")
    sync_folder(home)


def _forget_old(editions: Path, current: Path) -> None:
    """Remove all editions but the current one and the newest others, and writes that broke off."""
    others = sorted((path for path in editions.iterdir() if path != current), key=lambda path: path.stat().st_mtime_ns)
    for path in others[: -(EDITIONS_KEPT - 1)]:
        shutil.rmtree(path)


def _index(said: dict[str, object]) -> Index:
    if said.pop("format") != FORMAT:
        raise ValueError("written by another version")
    index = Index(**said)  # type: ignore[arg-type]
    nodes = {node_id: NodeUse(**use) for node_id, use in index.nodes.items()}  # type: ignore[arg-type]
    zones = {prefix: ZoneUse(**use) for prefix, use in index.zones.items()}  # type: ignore[arg-type]
    former = [FormerUse(**use) for use in index.former]  # type: ignore[arg-type]
    return Index(index.version, index.signed_time_ms, index.files, nodes, zones, index.findings, former)
