"""Trust, as a folder: bootstrap once, update when somebody offers something newer, load at start, serve to others.

    <home>/directory/   root.json (the anchor, trusted by hand), current -> editions/… (edition.py), evidence/ (of forks)

The anchor is the authority's first root, given to the operator in a safe way or compared by its fingerprint. From there on nothing
is taken on trust: an update is whole and verified or it changes nothing, and the old edition stays in force. It does not matter
where files come from (a peer, a stick). A running node never stops because its directory is old.
"""

import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from node.directory.certificates import UNJUDGED, Certificates
from node.directory.files import Files, disk_faults, folder_files, read_file, write_file
from node.directory.layout import TIMESTAMP
from node.directory.lookup.units import UnitTable
from node.directory.rules import check_node_file
from node.directory.translate import node_entry
from node.directory.trust.edition import Edition, Index, ZoneUse, open_current, write_edition
from node.directory.trust.wholes import whole_editions
from node.errors import ADVICE, Broken, Deferred, HealthFinding
from node.log import get_logger
from node.model.code import Code, parse_code
from node.model.directory import EMPTY, Directory, Holding, NodeEntry, Role, Zone, directory_of
from node.model.reason import Reason

log = get_logger()


class TrustedFolder:
    """A node's trusted directory. Slow methods (update_from, load) belong in a worker; one update at a time."""

    def __init__(self, folder: Path, certificates: Certificates = UNJUDGED) -> None:
        """Take `<home>/directory`; it need not exist yet. Whoever updates gives what judges certificates."""
        self._folder = folder
        self._certificates = certificates
        self._edition: Edition | None = None
        self._directory = EMPTY
        self._fetches: set[Path] = set()
        """Folders in use for what peers send."""
        self._fetches_lock = threading.Lock()

    @property
    def bootstrapped(self) -> bool:
        """True once there is an anchor."""
        return (self._folder / "root.json").exists()

    @property
    def findings(self) -> list[HealthFinding]:
        """The files of the current edition that were not believed, with reasons, for doctor and health."""
        said = self.doubts
        return [
            HealthFinding(Reason.DIRECTORY_INVALID, f"{ADVICE[Reason.DIRECTORY_INVALID]} ({one})", False)
            for one in said
        ]

    @property
    def doubts(self) -> list[str]:
        """Findings about what was not believed in the current edition, naming each file."""
        if self._edition is None:
            return []
        left_out = sorted(self._edition.index.nodes.keys() - self._directory.nodes.keys())
        return [
            *self._edition.index.findings,
            *(f"nodes/{node_id}: breaks rules newer than this edition; the node is left out" for node_id in left_out),
        ]

    def bootstrap(self, root_json: bytes) -> str:
        """Trust a root from now on; return its fingerprint, which the operator compares with the authority's.

        The same root again is harmless. Raises Broken(ALREADY_EXISTS) if another one is trusted, Broken(DIRECTORY_INVALID) if it is
        not a root that its own keys have signed.
        """
        # TUF is not needed to start a node, only to change what it believes, and costs 0.3 s and 18 MiB.
        from node.directory.root import root_fingerprint

        fingerprint = root_fingerprint(root_json)
        trusted = read_file(self._folder / "root.json")
        if trusted is not None and trusted != root_json:
            raise Broken(Reason.ALREADY_EXISTS, f"{self._folder / 'root.json'} is another root")
        write_file(self._folder / "root.json", root_json)
        return fingerprint

    def load(self) -> Directory:
        """Return the newest verified directory from disk, or EMPTY. No signatures and no expiry are checked (edition.py).

        Raises Broken(DIRECTORY_INVALID) if files are damaged.
        """
        edition = open_current(self._folder)
        if edition is not None:
            self._take(edition)
        return self._directory

    def update_from(self, public: Path | Mapping[str, bytes], now_ms: int) -> Directory:
        """Take a newer directory from a folder or from fetched files (which may be only those that changed); return what holds now.

        Raises Broken: DIRECTORY_ROLLED_BACK (older than what is trusted), DIRECTORY_INVALID (signature, digest, structure, run out,
        missing, or a fork, whose proof is kept in evidence/), IO_FAILED; or Deferred: DIRECTORY_EMPTY (no anchor), DISK_FULL.
        After any of them everything is as before.
        """
        if not isinstance(public, Path):
            return self._update(public.get, now_ms, partly=True)
        try:
            return self._update(folder_files(public), now_ms)
        except Broken as fault:
            return self._update_from_whole(public, now_ms, fault)

    def _update_from_whole(self, public: Path, now_ms: int, fault: Broken) -> Directory:
        """Take the newest whole edition of a folder whose files do not fit together: its authority is publishing, or broke off.

        Raises `fault` if there is none that holds, and for a fork, which no other edition explains away.
        """
        from node.directory.trust.verify import Fork

        editions = whole_editions(public)
        if isinstance(fault, Fork) or fault.reason is not Reason.DIRECTORY_INVALID or not editions:
            raise fault
        try:
            directory = self._update(folder_files(editions[0]), now_ms)
        except Fork:
            raise
        except Broken:
            raise fault from None
        log.warning("directory.mended", reason=fault.reason.name, detail=fault.detail, version=directory.version)
        return directory

    def _update(self, offered: Files, now_ms: int, *, partly: bool = False) -> Directory:
        """Verify, judge and keep what is offered (`partly`: only what changed), if it is new."""
        anchor = self._anchor()
        self.load()
        if self._is_known(offered, partly=partly):
            return self._directory
        edition = self._verified(anchor, offered, now_ms)
        if edition is not None:
            self._take(edition)
        return self._directory

    @contextmanager
    def fetching(self) -> Iterator[Path]:
        """Give a folder for files that a peer sends; it is removed afterwards, and so are those of a process that was killed.

        Raises Deferred(DISK_FULL), Broken(IO_FAILED).
        """
        with disk_faults(self._folder), self._fetches_lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in set(self._folder.glob(".fetch-*")) - self._fetches:
                shutil.rmtree(left, ignore_errors=True)
            folder = TemporaryDirectory(dir=self._folder, prefix=".fetch-", ignore_cleanup_errors=True)
            self._fetches.add(Path(folder.name))
        try:
            with folder as name:
                yield Path(name)
        finally:
            with self._fetches_lock:
                self._fetches.discard(Path(folder.name))

    def wanted(self, come: Path, now_ms: int) -> dict[str, int]:
        """Return what to ask a peer for next, with the most octets of each, when `come` holds what it has sent; {}: nothing more.

        Raises Broken for what has come and is wrong or not newer, Deferred(DIRECTORY_EMPTY) without an anchor.
        """
        from node.directory.trust.wanted import Wanted

        anchor = self._anchor()
        self.load()
        with disk_faults(self._folder), TemporaryDirectory(dir=self._folder, prefix=".verify-") as scratch:
            return Wanted(anchor, self._edition, folder_files(come), now_ms, Path(scratch)).bounds

    def files(self) -> dict[str, bytes]:
        """Return the SHA-256 (32 octets) of every file this node can serve, by path; also what to send in FetchDirectory."""
        edition = self._edition
        return edition.served() if edition else {}

    def missing_for(self, have_sha256: Mapping[str, bytes], paths: Collection[str] = ()) -> Iterator[tuple[str, bytes]]:
        """Yield (path, octets) of every file that somebody who has `have_sha256` lacks; the timestamp last. `paths`: no others."""
        edition = self._edition
        for path, sha in sorted(self.files().items(), key=lambda item: (item[0] == TIMESTAMP, item[0])):
            if edition is not None and have_sha256.get(path) != sha and (not paths or path in paths):
                yield path, edition.read(path)

    def _anchor(self) -> bytes:
        anchor = read_file(self._folder / "root.json")
        if anchor is None:
            raise Deferred(Reason.DIRECTORY_EMPTY, f"{self._folder / 'root.json'}: no root is trusted yet")
        return anchor

    def _is_known(self, offered: Files, *, partly: bool) -> bool:
        """Tell whether the offered timestamp is the one we have (a part of the files may leave it out)."""
        timestamp = offered(TIMESTAMP)
        if timestamp is None and not partly:
            raise Broken(Reason.DIRECTORY_INVALID, f"{TIMESTAMP} is missing")
        if self._edition is None:
            return False
        return timestamp is None or timestamp == self._edition.find(TIMESTAMP)

    def _verified(self, anchor: bytes, offered: Files, now_ms: int) -> Edition | None:
        """Verify the offered files, decide what is believed of them, write that as an edition; None if it is nothing new."""
        from node.directory.trust.believe import judge
        from node.directory.trust.verify import Fork, Offered, verify

        before = self._edition
        sources = Offered(offered, before.find) if before else Offered(offered)
        with disk_faults(self._folder), TemporaryDirectory(dir=self._folder, prefix=".verify-") as scratch:
            try:
                verified = verify(anchor, before.metadata() if before else {}, sources, now_ms, Path(scratch))
            except Fork as fork:
                for name, data in fork.evidence.items():
                    write_file(self._folder / "evidence" / f"{now_ms}-{name}", data)
                raise
        if before is not None and verified.metadata[TIMESTAMP] == before.find(TIMESTAMP):
            return None
        index, files = judge(verified, sources, before, self._certificates)
        return write_edition(self._folder, index, files, before)

    def _take(self, edition: Edition) -> None:
        """Put an edition in force."""
        if self._edition is None or edition.folder != self._edition.folder:
            self._directory = _directory(edition, self._edition, self._directory)
            self._edition = edition


def _directory(edition: Edition, before: Edition | None, was: Directory) -> Directory:
    """Build the snapshot; zones whose file is the same as before are taken over with what they have decoded."""
    index = edition.index
    zones = []
    for prefix, use in index.zones.items():
        code = parse_code(prefix)
        same = before is not None and _same_zone(index, before.index, use, prefix)
        zones.append(was.zones[code] if same else _zone(edition, code, use))
    nodes = _nodes(edition)
    former = [Holding(_held(use.prefix), use.node_id, use.from_ms, use.until_ms) for use in index.former]
    return directory_of(index.version, index.signed_time_ms, nodes, [*zones, *_leaves(index, nodes)], former)


def _held(text: str) -> Code:
    return Code((text,)) if "." not in text else parse_code(text)


def _leaves(index: Index, nodes: list[NodeEntry]) -> Iterator[Zone]:
    """Yield a zone of one unit for each opaque code that was granted; without the unit if its node does not list it."""
    for node in nodes:
        granted = index.nodes[node.node_id].leaves
        listed = {unit.code: unit for unit in node.leaves} if granted else {}
        for code, since_ms in granted.items():
            units = {code: listed[code]} if code in listed else {}
            yield Zone(Code((code,)), node.node_id, units, held_from_ms=since_ms, is_leaf=True)


def _same_zone(index: Index, before: Index, use: ZoneUse, prefix: str) -> bool:
    return before.zones.get(prefix) == use and before.files.get(use.file) == index.files.get(use.file)


def _zone(edition: Edition, prefix: Code, use: ZoneUse) -> Zone:
    units = UnitTable(edition.read(use.file) if use.file else b"", use.units, frozenset(use.longer))
    return Zone(prefix, use.node_id, units, units.aliases, use.held_from_ms)


def _nodes(edition: Edition) -> list[NodeEntry]:
    """Return the nodes; one whose file breaks rules that are newer than its edition is left out, and costs nobody else the start."""
    found = []
    for node_id, use in edition.index.nodes.items():
        data = edition.read(use.file)
        try:
            file = check_node_file(data, node_id)
        except Broken as fault:
            log.warning("entry.left_out", peer=node_id, detail=fault.detail)
        else:
            found.append(node_entry(file, frozenset(Role(role) for role in use.roles)))
    return found
