"""A node's folder: where everything lies, how it is made, and how the command reaches the node that runs in it.

    node.toml   settings                    zone/        zone key and what this node publishes (node/directory/zone/zone.py)
    keys/       sign, seal, TLS             directory/   what it trusts (node/directory/trust/trust.py)
    systems/    connected systems           store/ WITNESS bodies/     the durable store
    admin.token the operator's credential   join-request.truc          for the authority, once

It is made in a hidden folder beside its place and then renamed: there is a whole node or none.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from node.config.home import Homestead
from node.errors import Broken, Fault, Rejected
from node.model.code import Code
from node.model.directory import NodeEntry, PublicKey
from node.model.envelope import SUITE
from node.model.reason import Reason
from node.ops import key_times

if TYPE_CHECKING:
    from node.access.systems import Systems
    from node.config.settings import Settings
    from node.directory.zone.zone import ZoneEditor
    from node.net.admin_client import AdminClient
    from node.seal.keyring import Keyring

CERTIFICATE_DAYS = 1_095
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  a name for it, nothing listens here


@dataclass(frozen=True, slots=True)
class Home(Homestead):
    """One node's folder, and what the command does with it."""

    @property
    def join_request(self) -> Path:
        """The file by which the authority admits the node."""
        return self.path / "join-request.truc"

    def private_keys(self) -> list[Path]:
        """Return the files of all private keys of the node, in order of name."""
        return sorted([*self.keys.rglob("*.pem"), *self.keys.rglob("*.key")])

    def require_real(self) -> None:
        """Refuse a sandbox's node: it must never be taken for one of the real mesh. Raises Rejected(REQUEST_INVALID)."""
        if self.sandbox_mark.exists():
            raise Rejected(
                Reason.REQUEST_INVALID,
                f"{self.path} is a sandbox's node (hộp cát); run it with 'truc sandbox --home DIR'",
            )

    def is_held(self) -> bool:
        """Tell whether a process holds RocksDB's lock, as a running node does. Opening the database to find out might change it.

        Raises OSError if the lock cannot be looked at.
        """
        try:
            with (self.store / "LOCK").open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False  # it has never run
        except BlockingIOError:
            return True
        return False

    def require_stopped(self) -> None:
        """Refuse while a process holds the store. Raises Broken(HOME_IN_USE)."""
        with suppress(OSError):  # what is not for us to look at is not for us to write, either: that says so
            if self.is_held():
                raise Broken(Reason.HOME_IN_USE, str(self.store))

    def settings(self) -> "Settings":
        """Read the settings. Raises Broken(HOME_MISSING), Broken(SETTINGS_INVALID)."""
        from node.config.settings import load_settings

        return load_settings(self.path)

    def systems(self) -> "Systems":
        """Return the connected systems. Raises Broken(HOME_MISSING)."""
        from node.access.systems import Systems

        if not self.settings_file.is_file():
            raise Broken(Reason.HOME_MISSING, f"no {self.settings_file}")
        return Systems(self.systems_folder, self.admin_token)

    def zone_editor(self) -> "ZoneEditor":
        """Open the zone to look at it. Raises Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
        from node.directory.zone.zone import ZoneEditor

        return ZoneEditor.open(self.zone)

    def editing_zone(self) -> "AbstractContextManager[ZoneEditor]":
        """Open the zone to change it, alone. Raises Deferred(STORE_STALLED), Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
        from node.directory.zone.zone_lock import editing

        return editing(self.zone)

    def admin(self) -> "AdminClient":
        """Return a client to the node that runs here. Raises Broken: HOME_MISSING, SETTINGS_INVALID, KEY_FILE_MISSING and so on."""
        from node.net.admin_client import AdminClient
        from node.seal.files import read_private, read_public

        address = office_address(self.settings())
        certificate = read_public(self.keys / "tls.crt")
        return AdminClient.connect(address, certificate, read_private(self.admin_token).decode().strip())


def office_address(settings: "Settings") -> str:
    """Return where the office door is reached from this machine. Raises Broken(SETTINGS_INVALID) for port 0."""
    host, _, port = settings.office.listen.rpartition(":")
    if port == "0":
        raise Broken(
            Reason.SETTINGS_INVALID, "office.listen: cổng 0 đổi mỗi lần chạy nên không gọi tới được; hãy ghi cổng thật"
        )
    return f"{_ANY_HOST.get(host, host)}:{port}"


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that is to be made; addresses as "host:port". `advertise` "": nobody can dial it."""

    node_id: str
    name: str
    mesh: str
    office: str
    advertise: str = ""
    prefixes: tuple[Code, ...] = ()
    via_relays: tuple[str, ...] = ()
    carry_for_others: bool = False


def create_home(path: Path, new: NewNode, now_ms: int) -> Home:
    """Make keys, certificate, settings, zone and join request of a new node.

    Raises Broken(ALREADY_EXISTS) if the folder holds anything, Broken(SETTINGS_INVALID) or Broken(DIRECTORY_INVALID) naming what
    is wrong, Broken(IO_FAILED), Deferred(DISK_FULL).
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Broken(Reason.ALREADY_EXISTS, str(path))
    with _made_whole(path) as part:
        _write_settings(part, new)
        entry = _write_keys(part, new, now_ms)
        _write_zone(part, entry, new.prefixes, now_ms)
        part.systems().ensure_admin_token()
    return Home(path)


@contextmanager
def _made_whole(path: Path) -> Iterator[Home]:
    """Give a folder to fill; rename it to its place at the end, or leave nothing behind. Faults name the real place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{path}: {error.strerror}") from error
    try:
        yield Home(part)
        os.rename(part, path)
    except Fault as fault:
        shutil.rmtree(part, ignore_errors=True)
        fault.detail = fault.detail.replace(str(part), str(path))
        raise
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_settings(part: Home, new: NewNode) -> None:
    from node.config.settings import example_toml, load_settings
    from node.directory.files import write_file

    text = example_toml(
        new.node_id,
        new.name,
        mesh_listen=new.mesh,
        mesh_advertise=new.advertise,
        office_listen=new.office,
        carry_for_others=new.carry_for_others,
    )
    write_file(part.settings_file, text.encode())
    load_settings(part.path)


def _write_keys(part: Home, new: NewNode, now_ms: int) -> NodeEntry:
    from node.seal.keyring import create_keys, load_keys
    from node.seal.tls import create_certificate, write_tls

    create_keys(part.keys, None)
    hosts = certificate_hosts(new.advertise, new.mesh, new.office)
    certificate = create_certificate(new.node_id, hosts, CERTIFICATE_DAYS, now_ms)
    write_tls(part.keys, certificate, None)
    public = load_keys(part.keys, new.node_id, None).public_keys()
    return NodeEntry(
        node_id=new.node_id,
        name=new.name,
        mesh_address=new.advertise,
        via_relays=new.via_relays,
        tls_certificates=(certificate.certificate_der,),
        signing_keys=_public_keys(public.signing),
        sealing_keys=_public_keys(public.sealing),
    )


def _public_keys(raw: Iterable[bytes]) -> tuple[PublicKey, ...]:
    return tuple(PublicKey(key, SUITE) for key in raw)


def certificate_hosts(*addresses: str) -> list[str]:
    """Return the names under which a node is called that advertises and listens at these addresses ("host:port" or "")."""
    hosts = [address.rpartition(":")[0] for address in addresses]
    return list(dict.fromkeys(host.strip("[]") for host in hosts if host and host not in _ANY_HOST))


def _write_zone(part: Home, entry: NodeEntry, prefixes: Iterable[Code], now_ms: int) -> None:
    from node.directory.files import write_file
    from node.directory.zone.zone import create_join_request

    write_file(part.join_request, create_join_request(part.zone, entry, list(prefixes), now_ms))


def describe_anew(
    place: Home, now_ms: int, *, overlap_ms: int = key_times.OVERLAP_MS, revoke: Collection[str] = ()
) -> bool:
    """Bring the zone's description of the node up to date with node.toml and keys/; return whether anything changed.

    A new signing or sealing key begins after the overlap; of the kinds in `revoke` only the newest is listed (key_times.py). Raises what
    reading settings, keys, zone and directory raises.
    """
    from node.directory.trust.trust import TrustedFolder
    from node.seal import next_tls
    from node.seal.keyring import load_keys
    from node.seal.tls import load_tls

    settings, before = place.settings(), described(place)
    passphrase = passphrase_of(settings)
    held = load_keys(place.keys, settings.node_id, passphrase).public_keys()
    entry = TrustedFolder(place.directory).load().nodes.get(settings.node_id)
    signing, sealing = (entry.signing_keys, entry.sealing_keys) if entry else ((), ())
    keep_ms = key_times.keep_signing_ms(settings.policy())
    now = replace(
        before,
        name=settings.name,
        mesh_address=settings.mesh.advertise,
        tls_certificates=tuple(load_tls(folder, passphrase).certificate_der for folder in next_tls.folders(place.keys)),
        signing_keys=key_times.listed(
            before.signing_keys,
            signing,
            held.signing,
            now_ms,
            overlap_ms=overlap_ms,
            keep_ms=keep_ms,
            revoke="signing" in revoke,
        ),
        sealing_keys=key_times.listed(
            before.sealing_keys, sealing, held.sealing, now_ms, overlap_ms=overlap_ms, revoke="sealing" in revoke
        ),
    )
    if now != before:
        with place.editing_zone() as zone:
            zone.set_node(now)
    return now != before


def described(place: Home) -> NodeEntry:
    """Return the node as its own zone describes it. Raises Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
    from node.directory.files import read_file
    from node.directory.rules import check_node_file
    from node.directory.translate import node_entry

    zone = place.zone_editor()
    return node_entry(check_node_file(read_file(place.zone / "node") or b"", zone.node_id), frozenset())


def passphrase_of(settings: "Settings") -> bytes | None:
    """Return what opens the private keys, or None. Raises as seal.files.read_private."""
    from node.seal.files import read_private

    path = settings.keys.passphrase_file
    return None if path is None else read_private(path).strip()


def keys_of(place: Home) -> "Keyring":
    """Return the node's private keys. Raises what reading settings and keys raises."""
    from node.seal.keyring import load_keys

    settings = place.settings()
    return load_keys(place.keys, settings.node_id, passphrase_of(settings))


def sealing_key_in_use(place: Home, keys: "Keyring", now_ms: int) -> bytes:
    """Return the public key for which secrets of this node are sealed: one that the running process has already."""
    from node.directory.trust.trust import TrustedFolder
    from node.seal.public import sealing_key_of

    entry, held = TrustedFolder(place.directory).load().nodes.get(keys.node_id), keys.public_keys().sealing
    used = sealing_key_of(entry, now_ms) if entry is not None else None
    return used if used in held and used is not None else held[-1]


def advertised(mesh: str, advertise: str | None) -> str:
    """Return the address for the directory: as given, else where the node listens. Raises Rejected(REQUEST_INVALID) for "any"."""
    if advertise is not None:
        return advertise
    if mesh.rpartition(":")[0] in _ANY_HOST:
        raise Rejected(
            Reason.REQUEST_INVALID, f"{mesh} là mọi địa chỉ của máy; hãy ghi --advertise địa chỉ mà nút khác gọi tới"
        )
    return mesh
