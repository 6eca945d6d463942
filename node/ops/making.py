"""Making a node: keys, certificate, settings, zone and join request, in a folder of their own.

It is made in a hidden folder beside its place and then renamed: there is a whole node or none.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node.errors import Broken, Fault, Rejected
from node.model.code import Code
from node.model.directory import NodeEntry, PublicKey
from node.model.envelope import SUITE
from node.model.reason import Reason
from node.ops.home import ANY_HOST, Home

CERTIFICATE_DAYS = 1_095


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
    return list(dict.fromkeys(host.strip("[]") for host in hosts if host and host not in ANY_HOST))


def _write_zone(part: Home, entry: NodeEntry, prefixes: Iterable[Code], now_ms: int) -> None:
    from node.directory.files import write_file
    from node.directory.zone.zone import create_join_request

    write_file(part.join_request, create_join_request(part.zone, entry, list(prefixes), now_ms))


def advertised(mesh: str, advertise: str | None) -> str:
    """Return the address for the directory: as given, else where the node listens. Raises Rejected(REQUEST_INVALID) for "any"."""
    if advertise is not None:
        return advertise
    if mesh.rpartition(":")[0] in ANY_HOST:
        raise Rejected(
            Reason.REQUEST_INVALID, f"{mesh} là mọi địa chỉ của máy; hãy ghi --advertise địa chỉ mà nút khác gọi tới"
        )
    return mesh
