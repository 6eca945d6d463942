"""Connected systems (phần mềm QLVB&ĐH) and what they prove themselves with.

One JSON file per system in <home>/systems/, mode 0600: {name, units, secret_sha256, created_ms}. The secret itself, 32 random
octets, is shown once and kept by nobody here; a digest suffices because there is nothing to guess. The running node looks
at the folder at most once a second, and at once when somebody is refused, so `truc system add` works while it runs.

A system that calls by the VXP bridge has a second file beside it, NAME.vxp (vxp_secrets.py), and one that wants to be told of events
a third, NAME.webhook (webhooks.py); they go with their system.

The administrator proves with <home>/admin.token that he can read the node's folder.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.errors import Broken, Denied, Rejected
from node.log import get_logger
from node.model.code import parse_code
from node.model.office import System
from node.model.reason import Reason
from node.seal.files import make_folder, replace_file, write_new

SECRET_BYTES = 32
LOOK_EVERY_S = 1.0
LOOK_AGAIN_S = 0.05
"""After a refusal the folder is looked at again, but not more often than this."""

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_BEARER = "Bearer "

log = get_logger()


@dataclass(frozen=True, slots=True)
class SystemRecord:
    """A system as its file describes it; time in milliseconds since 1970 UTC."""

    system: System
    secret_sha256: bytes
    created_ms: int
    registrations_until_ms: int = 0
    """Until then it may register, rename and close units through the VXP bridge (web/vxp/register.py)."""


class Systems:
    """The systems of one node. Reads of the folder are small and happen on the caller's thread."""

    def __init__(
        self, folder: Path, admin_token: Path | None = None, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._admin_token = admin_token
        self._monotonic_s = monotonic_s
        self._marks = Marks(folder, ".json", monotonic_s)
        self._records: dict[str, SystemRecord] = {}
        self._seen: frozenset[tuple[str, int, int, int]] = frozenset()
        self._looked_s = float("-inf")

    def create(self, name: str, units: Iterable[str], *, now_ms: int | None = None) -> str:
        """Connect a system to its units (codes in either form); return its secret, which is shown only now.

        Raises Rejected(REQUEST_INVALID) for a bad name or no unit, Rejected(CODE_MALFORMED), Broken(ALREADY_EXISTS).
        """
        check_name(name)
        codes = sorted({parse_code(unit).text for unit in units})
        if not codes:
            raise Rejected(Reason.REQUEST_INVALID, "a system needs at least one unit")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        created_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        digest = hashlib.sha256(secret.encode()).hexdigest()
        record = {"name": name, "units": codes, "secret_sha256": digest, "created_ms": created_ms}
        make_folder(self._folder)
        write_new(self._folder / f"{name}.json", json.dumps(record, indent=2).encode() + b"\n")
        self._look()
        return secret

    def revoke(self, name: str) -> None:
        """Disconnect a system. Raises Rejected(NOT_FOUND) if there is none of that name."""
        check_name(name)
        with _alone(self._folder):
            try:
                (self._folder / f"{name}.json").unlink()
            except FileNotFoundError as error:
                raise Rejected(Reason.NOT_FOUND, f"no system {name}") from error
            for ending in ("vxp", "webhook"):
                (self._folder / f"{name}.{ending}").unlink(missing_ok=True)
        self._look()

    def named(self, name: str) -> System | None:
        """Return the system of that name, which has proved nothing yet; None if there is none."""
        if self._monotonic_s() - self._looked_s >= LOOK_EVERY_S:
            self._look()
        if name not in self._records and self._monotonic_s() - self._looked_s >= LOOK_AGAIN_S:
            self._look()
        record = self._records.get(name)
        return record.system if record else None

    def add_unit(self, name: str, unit: str) -> None:
        """Let a system speak for one more unit. Raises Rejected(NOT_FOUND), Rejected(CODE_MALFORMED), and what writing raises."""
        code = parse_code(unit).text
        self._change(name, lambda record: {"units": sorted({*record["units"], code})})

    def open_registrations(self, name: str, until_ms: int) -> None:
        """Let a system register units until then; 0: no more. Raises as `add_unit`."""
        self._change(name, lambda _: {"registrations_until_ms": until_ms})

    def _change(self, name: str, change: Callable[[dict[str, Any]], dict[str, object]]) -> None:
        check_name(name)
        path = self._folder / f"{name}.json"
        with _alone(self._folder):
            try:
                record = json.loads(path.read_bytes())
            except FileNotFoundError as error:
                raise Rejected(Reason.NOT_FOUND, f"no system {name}") from error
            changed = record | change(record)
            if changed != record:
                replace_file(path, json.dumps(changed, indent=2).encode() + b"\n")
        self._look()

    def list(self) -> list[SystemRecord]:
        """Return all systems in order of name."""
        self._look()
        return sorted(self._records.values(), key=lambda record: record.system.name)

    def authenticate(self, header: str | None) -> System:
        """Return the system that an authorization header "Bearer <system>.<secret>" proves.

        Raises Denied(CREDENTIAL_MISSING) without a header, Denied(CREDENTIAL_WRONG) for anything else that is not right.
        """
        name, _, secret = _token(header).partition(".")
        if self._monotonic_s() - self._looked_s >= LOOK_EVERY_S:
            self._look()
        system = self._match(name, secret)
        if system is None and self._monotonic_s() - self._looked_s >= LOOK_AGAIN_S:
            self._look()
            system = self._match(name, secret)
        if system is None:
            raise Denied(
                Reason.CREDENTIAL_WRONG, f"system {name[:64]!r}" if _NAME.fullmatch(name) else "not a system's token"
            )
        return system

    def authenticate_admin(self, header: str | None) -> None:
        """Check that a header carries the administrator's token.

        Raises Denied(CREDENTIAL_MISSING), Denied(ADMIN_ONLY) for a system's own credential, else Denied(CREDENTIAL_WRONG).
        """
        expected = self._read_admin_token()
        if expected and hmac.compare_digest(_token(header).encode(), expected):
            return
        self.authenticate(header)
        raise Denied(Reason.ADMIN_ONLY)

    def ensure_admin_token(self) -> str:
        """Return the administrator's token; make the file (0600) if there is none."""
        assert self._admin_token is not None
        try:
            write_new(self._admin_token, secrets.token_urlsafe(SECRET_BYTES).encode() + b"\n")
        except Broken as broken:
            if broken.reason is not Reason.ALREADY_EXISTS:
                raise
        return self._read_admin_token().decode()

    def _read_admin_token(self) -> bytes:
        if self._admin_token is None:
            return b""
        try:
            return self._admin_token.read_bytes().strip()
        except FileNotFoundError:
            return b""

    def _match(self, name: str, secret: str) -> System | None:
        record = self._records.get(name)
        digest = hashlib.sha256(secret.encode()).digest()
        right = hmac.compare_digest(digest, record.secret_sha256 if record else bytes(32))
        return record.system if record and right else None

    def _look(self) -> None:
        """Read the folder again if anything in it has changed."""
        self._looked_s = self._monotonic_s()
        seen = self._marks.now()
        if seen == self._seen:
            return
        self._records = {path.stem: record for path in _files(self._folder) if (record := _read(path))}
        self._seen = seen


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from changing systems meanwhile: one that is being revoked must not come back by a change to it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield  # nothing is there that could be changed
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Marks:
    """Tells whether files of a folder have changed. Asked every second on the loop, so it is as cheap as it gets.

    A file that is made, replaced or removed changes its folder, and one look at that is enough; each of several hundred looks at files
    would let go of the interpreter and wait for it. A file that was written into where it lies is seen when `EVERY_S` have passed, and
    so is what happened within the same tick of the file system's clock as the last look.
    """

    EVERY_S = 10.0
    TICK_NS = 100_000_000
    """A folder that has changed so shortly ago may change again without another time to show for it."""

    def __init__(self, folder: Path, ending: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._ending = ending
        self._monotonic_s = monotonic_s
        self._place: tuple[int, int] | None = None
        self._marks: frozenset[tuple[str, int, int, int]] = frozenset()
        self._marked_s = float("-inf")

    def now(self) -> frozenset[tuple[str, int, int, int]]:
        """Return what tells changed files from unchanged ones."""
        now_s, place = self._monotonic_s(), self._settled_place()
        if place is None or place != self._place or now_s - self._marked_s >= self.EVERY_S:
            self._place, self._marked_s, self._marks = place, now_s, marks_of(self._folder, self._ending)
        return self._marks

    def _settled_place(self) -> tuple[int, int] | None:
        try:
            facts = os.stat(self._folder)
        except FileNotFoundError:
            return None
        is_settled = time.time_ns() - facts.st_mtime_ns > self.TICK_NS
        return (facts.st_mtime_ns, facts.st_ino) if is_settled else None


def marks_of(folder: Path, ending: str) -> frozenset[tuple[str, int, int, int]]:
    """Return names, times, numbers and sizes of a folder's files."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(mark for entry in entries if entry.name.endswith(ending) if (mark := _mark(entry)))
    except FileNotFoundError:
        return frozenset()


def _mark(entry: "os.DirEntry[str]") -> tuple[str, int, int, int] | None:
    try:
        facts = entry.stat()
    except FileNotFoundError:
        return None
    return entry.name, facts.st_mtime_ns, facts.st_ino, facts.st_size


def _read(path: Path) -> SystemRecord | None:
    """Read one file. A bad one is reported and leaves its system out; it must not lock out the others."""
    try:
        record = json.loads(path.read_bytes())
        units = frozenset(parse_code(str(unit)).text for unit in record["units"])
        digest = bytes.fromhex(record["secret_sha256"])
        if record["name"] != path.stem or len(digest) != 32:
            raise ValueError("name or digest")
        until_ms = int(record.get("registrations_until_ms", 0))
        return SystemRecord(System(path.stem, units), digest, int(record["created_ms"]), until_ms)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, Rejected) as error:
        log.error("system.unreadable", path=str(path), error=type(error).__name__)
        return None


def check_name(name: str) -> None:
    """Raise Rejected(REQUEST_INVALID) for what cannot be a system's name."""
    if not _NAME.fullmatch(name):
        raise Rejected(Reason.REQUEST_INVALID, "a system's name is 1 to 64 characters of [a-z0-9_-]")


def _token(header: str | None) -> str:
    if not header:
        raise Denied(Reason.CREDENTIAL_MISSING)
    if not header.startswith(_BEARER):
        raise Denied(Reason.CREDENTIAL_WRONG, "not a Bearer token")
    return header[len(_BEARER) :]
