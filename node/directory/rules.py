"""What a node file and a zone file may say.

A signature tells who said something, not that it makes sense. The same rules hold where the node writes (zone.py), where the
authority takes (authority.py) and where every other node reads (judge.py); the reader trusts nobody to have kept them before.
All raise Broken(DIRECTORY_INVALID) naming the file and what is wrong in it.
"""

import re
from typing import NoReturn

from google.protobuf.message import DecodeError

from node.directory.grant import cut_off_by
from node.directory.layout import UNITS_PER_ZONE_MAX, check_node_id, node_target, zone_target
from node.errors import Broken, Rejected
from node.model.code import Code, parse_code
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb

NAME_CHARACTERS_MAX = 500
KEY_BYTES = 32
SUITE = 1
KEYS_MAX = 16
CERTIFICATE_BYTES_MAX = 16 * 1024

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253}):([0-9]{1,5})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse(where: str, what: str) -> NoReturn:
    """Raise Broken(DIRECTORY_INVALID) about one file."""
    raise Broken(Reason.DIRECTORY_INVALID, f"{where}: {what}")


def check_node_file(data: bytes, node_id: str) -> pb.NodeFile:
    """Read nodes/<node_id> and check all it says: id, name, address, relays, certificates, keys and their sizes."""
    where = node_target(node_id)
    try:
        file = pb.NodeFile.FromString(data)
    except DecodeError as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: not a node file") from error
    if file.node_id != node_id:
        refuse(where, f"describes another node: {file.node_id[:80]!r}")
    _check_name(where, "name", file.name)
    _check_address(where, file.mesh_address)
    for relay in file.via_relays:
        check_node_id(relay)
    _check_certificates(where, list(file.tls_certificates))
    _check_keys(where, "signing key", list(file.signing_keys))
    _check_keys(where, "sealing key", list(file.sealing_keys))
    return file


def check_zone_file(data: bytes, prefix: Code, node_id: str) -> pb.ZoneFile:
    """Read zones/<prefix> and check all it says: prefix, server, order, and each unit (under the prefix, on label boundaries)."""
    where = zone_target(prefix)
    try:
        file = pb.ZoneFile.FromString(data)
    except DecodeError as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: not a zone file") from error
    if file.prefix != prefix.text:
        refuse(where, f"is about another prefix: {file.prefix[:80]!r}")
    if file.node_id != node_id:
        refuse(where, f"names another node: {file.node_id[:80]!r}")
    if len(file.units) > UNITS_PER_ZONE_MAX:
        refuse(where, f"{len(file.units)} units, at most {UNITS_PER_ZONE_MAX}")
    before = ""
    for unit in file.units:
        code = _check_unit(where, prefix.text, unit)
        if code <= before:
            refuse(where, f"unit {code} is listed twice" if code == before else f"unit {code} is out of order")
        before = code
    return file


def check_not_cut_off(file: pb.ZoneFile, longer: frozenset[str]) -> None:
    """Refuse a zone that lists units under a longer prefix, which has a zone of its own."""
    for unit in file.units:
        other = cut_off_by(unit.code, longer)
        if other is not None:
            refuse(f"zones/{file.prefix}", f"unit {unit.code} belongs to zones/{other}")


def count_cut_off(file: pb.ZoneFile, longer: frozenset[str]) -> int:
    """Return how many units of a zone are hidden by longer prefixes."""
    return sum(cut_off_by(unit.code, longer) is not None for unit in file.units) if longer else 0


def check_unit(prefix: Code, unit: pb.Unit) -> None:
    """Check one unit against the prefix it is to be listed under."""
    _check_unit(zone_target(prefix), prefix.text, unit)


def _check_unit(where: str, prefix: str, unit: pb.Unit) -> str:
    code = _check_code(where, unit.code)
    if not (code == prefix or code.startswith(prefix + ".")):
        refuse(where, f"unit {code} is not under {prefix}")
    _check_name(where, f"name of {code}", unit.name)
    for short_name in unit.short_names:
        _check_name(where, f"short name of {code}", short_name)
    for other in (unit.parent, unit.successor):
        if other:
            _check_code(where, other)
    _check_validity(where, code, unit.valid_from_ms, unit.valid_to_ms)
    return code


def _check_code(where: str, text: str) -> str:
    try:
        code = parse_code(text)
    except Rejected as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: {error.detail}") from error
    if code.text != text:
        refuse(where, f"code {text!r} is not in its canonical form {code.text}")
    return text


def _check_name(where: str, what: str, name: str) -> None:
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or _CONTROL.search(name):
        refuse(where, f"{what} is empty, longer than {NAME_CHARACTERS_MAX} characters or has control characters")


def _check_validity(where: str, what: str, from_ms: int, to_ms: int) -> None:
    if from_ms < 0 or to_ms < 0 or (to_ms and from_ms > to_ms):
        refuse(where, f"validity of {what} ends before it begins")


def _check_address(where: str, address: str) -> None:
    match = _ADDRESS.fullmatch(address)
    if address and (match is None or not 0 < int(match[2]) < 65_536):
        refuse(where, f"mesh_address is not host:port: {address[:80]!r}")


def _check_certificates(where: str, certificates: list[bytes]) -> None:
    if not 0 < len(certificates) <= KEYS_MAX:
        refuse(where, f"{len(certificates)} TLS certificates, 1 to {KEYS_MAX} are needed")
    for der in certificates:
        # A DER certificate is a SEQUENCE; whether TLS can use it is found out when it is dialled.
        if not der.startswith(b"\x30") or len(der) > CERTIFICATE_BYTES_MAX:
            refuse(where, "a TLS certificate is not DER")


def _check_keys(where: str, what: str, keys: list[pb.PublicKey]) -> None:
    if not 0 < len(keys) <= KEYS_MAX:
        refuse(where, f"{len(keys)} {what}s, 1 to {KEYS_MAX} are needed")
    for key in keys:
        if key.suite != SUITE or len(key.raw) != KEY_BYTES:
            refuse(where, f"a {what} is not {KEY_BYTES} octets of suite {SUITE}")
        _check_validity(where, what, key.valid_from_ms, key.valid_to_ms)
