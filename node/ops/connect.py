"""Connecting an office's software: a credential file for gRPC, written once, and the secret of the VXP bridge, shown once."""

from collections.abc import Iterable
from pathlib import Path

from node.access.credential import Credential
from node.access.grants import Granted
from node.access.vxp_secrets import VxpSecrets
from node.config.settings import Settings
from node.directory.zone.listing import NotOurs
from node.errors import Broken, Fault
from node.model.code import parse_code
from node.model.reason import Reason
from node.ops.describing import sealing_key_in_use
from node.ops.home import Home, keys_of, office_address
from node.seal.files import read_public

PATH = "/vxp"
"""As node/web/vxp/build.py serves it."""


def units_not_listed(place: Home, granted: Granted) -> list[str]:
    """Return those units that the zone does not list (yet). Raises Denied(PEER_SPEAKS_FOR_OTHERS) for one under another's prefix."""
    zone = place.zone_editor()
    units = [parse_code(unit) for unit in sorted(granted.units)]
    for code in (*units, *map(parse_code, sorted(granted.prefixes))):
        if not any(code.is_under(own) for own in (*zone.prefixes, *zone.leaves)):
            raise NotOurs("unit", code, zone.prefixes)
    return [code.text for code in units if zone.unit(code) is None]


def connect(place: Home, name: str, units: Iterable[str], path: Path, address: str = "") -> None:
    """Create a system and write its credential file; nothing stays if the file cannot be written.

    Raises Broken(ALREADY_EXISTS) if the system or the file exists, Rejected(REQUEST_INVALID) for a name.
    """
    if path.exists():
        raise Broken(Reason.ALREADY_EXISTS, str(path))
    certificate = read_public(place.keys / "tls.crt").decode()
    called = address or office_address(place.settings())
    systems = place.systems()
    secret = systems.create(name, units)
    try:
        Credential(called, certificate, name, secret).save(path)
    except Fault:
        systems.revoke(name)
        raise


def renew(place: Home, name: str, path: Path, keep_ms: int, now_ms: int, address: str = "") -> None:
    """Give a system a new secret and write its credential file, with the node's certificate of today, in place of its own old one.

    The secret before is good for `keep_ms` more. Raises Rejected(NOT_FOUND), Broken(ALREADY_EXISTS) for a file of something else.
    """
    _require_own(path, name)
    certificate = read_public(place.keys / "tls.crt").decode()
    called = address or (_saved(path).address if path.exists() else office_address(place.settings()))
    secret = place.systems().renew(name, keep_ms, now_ms)
    Credential(called, certificate, name, secret).replace(path)


def refresh_certificate(place: Home, name: str, path: Path) -> None:
    """Write the node's certificate of today into a system's credential file; the secret stays. Raises as Credential.load."""
    _require_own(path, name)
    saved = _saved(path)
    Credential(saved.address, read_public(place.keys / "tls.crt").decode(), name, saved.secret).replace(path)


def _saved(path: Path) -> Credential:
    return Credential.load(path)


def _require_own(path: Path, name: str) -> None:
    """Raise Broken(ALREADY_EXISTS) if a file is there that is not this system's credential."""
    if not path.exists():
        return
    try:
        is_own = _saved(path).system == name
    except Fault:
        is_own = False
    if not is_own:
        raise Broken(Reason.ALREADY_EXISTS, str(path))


def grant(place: Home, name: str, now_ms: int) -> dict[str, str]:
    """Make a system's VXP secret, in place of any older one; return what goes into its software's settings.

    Raises Rejected(NOT_FOUND) if there is no such system, and what reading settings and keys raises.
    """
    settings, keys = place.settings(), keys_of(place)
    secret = VxpSecrets(place.systems_folder, keys).create(name, sealing_key_in_use(place, keys, now_ms))
    return {"endpoint": endpoint(settings), "systemid": name, "secret": secret}


def endpoint(settings: Settings) -> str:
    """Return the endpoint as software on this machine would write it; "" while the bridge is off."""
    vxp = settings.vxp
    return f"{'https' if vxp.certificate else 'http'}://{vxp.listen}{PATH}" if vxp.listen else ""
