"""Connected systems (phần mềm QLVB&ĐH) and what they prove themselves with.

One JSON file per system in <home>/systems/, mode 0600: {name, units, secret_sha256, created_ms}, and if there are any prefixes
(grants.py) and former {secret_sha256, until_ms}, the secret before this one. A secret, 32 random
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from node.access.grants import BELOW, Granted, OwnUnits, read_grants
from node.access.marks import Marks
from node.errors import Broken, Denied, Rejected
from node.log import get_logger
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
    granted: Granted
    """As it was given; `system.units` has the units of the prefixes, too."""
    former_sha256: bytes = b""
    former_until_ms: int = 0
    registrations_until_ms: int = 0
    """Until then it may register, rename and close units through the VXP bridge (web/vxp/register.py)."""


class Systems:
    """The systems of one node. Reads of the folder are small and happen on the caller's thread."""

    def __init__(
        self,
        folder: Path,
        admin_token: Path | None = None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        own_units: OwnUnits | None = None,
    ) -> None:
        """Take the folder; `own_units` tells what is granted by prefixes (None: nothing, for who only looks at the files)."""
        self._folder = folder
        self._admin_token = admin_token
        self._monotonic_s = monotonic_s
        self._own_units = own_units
        self._version = 0
        self._marks = Marks(folder, ".json", monotonic_s)
        self._records: dict[str, SystemRecord] = {}
        self._seen: frozenset[tuple[str, int, int, int]] = frozenset()
        self._looked_s = float("-inf")

    def create(self, name: str, units: Iterable[str], *, now_ms: int | None = None) -> str:
        """Connect a system to its units (codes in either form, H99.01.* for all below); return its secret, which is shown only now.

        Raises Rejected(REQUEST_INVALID) for a bad name or no unit, Rejected(CODE_MALFORMED), Broken(ALREADY_EXISTS).
        """
        check_name(name)
        granted = read_grants(units)
        if not granted.written:
            raise Rejected(Reason.REQUEST_INVALID, "a system needs at least one unit")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        created_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        digest = hashlib.sha256(secret.encode()).hexdigest()
        record = {"name": name, **_as_fields(granted), "secret_sha256": digest, "created_ms": created_ms}
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
        self.edit(name, add=[unit])

    def open_registrations(self, name: str, until_ms: int) -> None:
        """Let a system register units until then; 0: no more. Raises as `add_unit`."""
        with self._changing(name) as record:
            record["registrations_until_ms"] = until_ms

    def edit(self, name: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Granted:
        """Grant a system more or fewer units, as `create` reads them; return what it has then.

        Raises Rejected(NOT_FOUND) if there is no such system, or for a grant to take away that it does not have,
        Rejected(REQUEST_INVALID) if nothing would be left.
        """
        more, less = read_grants(add), read_grants(remove)
        with self._changing(name) as record:
            had = _granted(record)
            if strange := sorted(set(less.written) - set(had.written)):
                raise Rejected(Reason.NOT_FOUND, f"{strange[0]} is not granted to system {name}")
            now = Granted(*((old | new) - gone for old, new, gone in zip(had, more, less, strict=True)))
            if not now.written:
                raise Rejected(Reason.REQUEST_INVALID, "a system needs at least one unit")
            record.pop("prefixes", None)
            record.update(_as_fields(now))
        return now

    def renew(self, name: str, keep_ms: int, now_ms: int) -> str:
        """Give a system a new secret and return it; the one before is good for `keep_ms` more. Raises Rejected(NOT_FOUND)."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self._changing(name) as record:
            record.pop("former", None)
            if keep_ms:
                record["former"] = {"secret_sha256": record["secret_sha256"], "until_ms": now_ms + keep_ms}
            record["secret_sha256"] = hashlib.sha256(secret.encode()).hexdigest()
        return secret

    @contextmanager
    def _changing(self, name: str) -> Iterator[dict[str, Any]]:
        """Give a system's record to change; it is written whole if it has changed. Raises Rejected(NOT_FOUND)."""
        check_name(name)
        path = self._folder / f"{name}.json"
        with _alone(self._folder):
            try:
                before = path.read_bytes()
            except FileNotFoundError as error:
                raise Rejected(Reason.NOT_FOUND, f"no system {name}") from error
            record: dict[str, Any] = json.loads(before)
            yield record
            after = json.dumps(record, indent=2).encode() + b"\n"
            if after != before:
                replace_file(path, after)
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
        if record and record.former_sha256 and time.time_ns() // 1_000_000 < record.former_until_ms:
            right = hmac.compare_digest(digest, record.former_sha256) or right
        return record.system if record and right else None

    def _look(self) -> None:
        """Read the folder again if anything in it has changed."""
        self._looked_s = self._monotonic_s()
        seen, version = self._marks.now(), self._own_units.version if self._own_units else 0
        if seen == self._seen and version == self._version:
            return
        records = {path.stem: record for path in _files(self._folder) if (record := _read(path))}
        self._records = {name: self._expanded(record) for name, record in records.items()}
        self._seen, self._version = seen, version

    def _expanded(self, record: SystemRecord) -> SystemRecord:
        if self._own_units is None or not record.granted.prefixes:
            return record
        units = record.granted.units | self._own_units.below(record.granted.prefixes)
        return replace(record, system=System(record.system.name, units))


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


def _read(path: Path) -> SystemRecord | None:
    """Read one file. A bad one is reported and leaves its system out; it must not lock out the others."""
    try:
        record = json.loads(path.read_bytes())
        granted = _granted(record)
        digest = bytes.fromhex(record["secret_sha256"])
        if record["name"] != path.stem or len(digest) != 32:
            raise ValueError("name or digest")
        former = record.get("former", {"secret_sha256": "", "until_ms": 0})
        return SystemRecord(
            System(path.stem, granted.units),
            digest,
            int(record["created_ms"]),
            granted,
            bytes.fromhex(former["secret_sha256"]),
            int(former["until_ms"]),
            int(record.get("registrations_until_ms", 0)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, Rejected) as error:
        log.error("system.unreadable", path=str(path), error=type(error).__name__)
        return None


def _granted(record: Any) -> Granted:
    if not isinstance(record, dict):
        raise TypeError("not an object")
    below = [f"{prefix}{BELOW}" for prefix in record.get("prefixes", [])]
    return read_grants([*map(str, record["units"]), *below])


def _as_fields(granted: Granted) -> dict[str, list[str]]:
    """Return the fields of a record; programs of before know only the units."""
    prefixes = {"prefixes": sorted(granted.prefixes)} if granted.prefixes else {}
    return {"units": sorted(granted.units), **prefixes}


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
