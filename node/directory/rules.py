"""Rules on what a node file and a zone file may say.

A signature tells who said something, not that it makes sense. The same rules hold where the node writes (zone/), where the
authority takes (authority/) and where every other node reads (trust/believe.py); the reader trusts nobody to have kept them before.
All raise Broken(DIRECTORY_INVALID) naming the file and what is wrong in it.
"""

import re
from collections.abc import Collection, Iterable
from typing import NoReturn

from google.protobuf.message import DecodeError

from node.directory.grant import cut_off_by
from node.directory.layout import (
    ADDRESSES_MAX,
    ALIASES_PER_ZONE_MAX,
    LEAVES_PER_NODE_MAX,
    SHORT_NAMES_MAX,
    UNITS_PER_ZONE_MAX,
    UNSEEN,
    check_node_id,
    node_target,
    zone_target,
)
from node.errors import Broken, Rejected
from node.model.code import Code, parse_code, parse_leaf
from node.model.directory import Alias, Unit
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb

NAME_CHARACTERS_MAX = 500
MAIL_CHARACTERS_MAX = 254
KEY_BYTES = 32
SUITE = 1
"""The one suite of keys there is yet: Ed25519 for signing, X25519 for sealing."""
KEYS_MAX = 16
CERTIFICATE_BYTES_MAX = 16 * 1024
NODE_FILE_BYTES_MAX = 512 * 1024
RELAYS_MAX = 16

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253}):([0-9]{1,5})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse(where: str, what: str) -> NoReturn:
    """Raise Broken(DIRECTORY_INVALID) about one file."""
    raise Broken(Reason.DIRECTORY_INVALID, f"{where}: {what}")


def check_node_file(data: bytes, node_id: str) -> pb.NodeFile:
    """Read nodes/<node_id> and check all it says: id, name, address, relays, certificates, keys and their sizes."""
    where = node_target(node_id)
    if len(data) > NODE_FILE_BYTES_MAX:
        refuse(where, f"{len(data)} octets, at most {NODE_FILE_BYTES_MAX}")
    try:
        file = pb.NodeFile.FromString(data)
    except DecodeError as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: not a node file") from error
    if file.node_id != node_id:
        refuse(where, f"describes another node: {file.node_id[:80]!r}")
    _check_name(where, "name", file.name)
    if UNSEEN.search(file.name):
        refuse(where, "name has characters that nobody sees")
    _check_address(where, file.mesh_address)
    _check_relays(where, node_id, list(file.via_relays))
    _check_further_addresses(where, file)
    _check_certificates(where, list(file.tls_certificates))
    _check_keys(where, "signing key", list(file.signing_keys))
    _check_keys(where, "sealing key", list(file.sealing_keys))
    if len(file.leaves) > LEAVES_PER_NODE_MAX:
        refuse(where, f"{len(file.leaves)} units with opaque codes, at most {LEAVES_PER_NODE_MAX}")
    _check_order(where, "unit", (_check_leaf(where, unit) for unit in file.leaves))
    return file


def certificates_in(data: bytes) -> list[bytes]:
    """Return what a node's file, good or bad, lists as certificates; no more than a good one may."""
    try:
        listed = pb.NodeFile.FromString(data).tls_certificates if len(data) <= NODE_FILE_BYTES_MAX else ()
    except DecodeError:
        return []
    return list(listed[:KEYS_MAX])


def check_zone_file(data: bytes, prefix: Code, node_id: str) -> pb.ZoneFile:
    """Read zones/<prefix> and check all it says: prefix, server, order, each unit and each alias, and that they fit together.

    Codes lie under the prefix, on label boundaries.
    """
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
    if len(file.aliases) > ALIASES_PER_ZONE_MAX:
        refuse(where, f"{len(file.aliases)} aliases, at most {ALIASES_PER_ZONE_MAX}")
    _check_order(where, "unit", (_check_unit(where, prefix.text, unit) for unit in file.units))
    _check_order(where, "alias", (_check_alias(where, prefix.text, alias) for alias in file.aliases))
    check_aliases(prefix, file.units, file.aliases)
    return file


def check_not_cut_off(file: pb.ZoneFile, longer: frozenset[str]) -> None:
    """Refuse a zone that lists units or aliases under a longer prefix, which has a zone of its own."""
    for what, listed in (("unit", file.units), ("alias", file.aliases)):
        for one in listed:
            other = cut_off_by(one.code, longer)
            if other is not None:
                refuse(f"zones/{file.prefix}", f"{what} {one.code} belongs to zones/{other}")


def count_cut_off(listed: Iterable[pb.Unit] | Iterable[pb.Alias], longer: frozenset[str]) -> int:
    """Return how many units or aliases of a zone are hidden by longer prefixes."""
    return sum(cut_off_by(one.code, longer) is not None for one in listed) if longer else 0


def check_unit(prefix: Code, unit: pb.Unit) -> None:
    """Check one unit against the prefix it is to be listed under, as its own node writes it.

    Others pass over what is odd in a name (translate.unit), for older zones may have it.
    """
    where = zone_target(prefix)
    _check_unit(where, prefix.text, unit)
    if any(map(UNSEEN.search, (unit.name, *unit.short_names))):
        refuse(where, f"name of {unit.code} has characters that nobody sees")
    if len(unit.short_names) > SHORT_NAMES_MAX:
        refuse(where, f"{len(unit.short_names)} short names of {unit.code}, at most {SHORT_NAMES_MAX}")


def read_leaves(data: bytes) -> pb.ZoneFile:
    """Read the file in which a node keeps its units with opaque codes."""
    try:
        file = pb.ZoneFile.FromString(data)
    except DecodeError as error:
        raise Broken(Reason.DIRECTORY_INVALID, "units/opaque: not a zone file") from error
    _check_order("units/opaque", "unit", (_check_leaf("units/opaque", unit) for unit in file.units))
    return file


def check_leaf(unit: pb.Unit) -> None:
    """Check one unit with an opaque code."""
    _check_leaf("nodes", unit)


def check_alias(prefix: Code, alias: pb.Alias) -> None:
    """Check one alias against the prefix it is to be listed under."""
    _check_alias(zone_target(prefix), prefix.text, alias)


def check_aliases(prefix: Code, units: Iterable[pb.Unit | Unit], aliases: Collection[pb.Alias | Alias]) -> None:
    """Check that no code of a zone is a unit's and an alias at one time, and that no alias leads to an alias.

    One zone cannot say whether its alias leads to an alias of another; if it does, it leads nowhere (Directory.resolve, decision 0010).
    """
    if not aliases:
        return
    where, listed = zone_target(prefix), {alias.code: alias for alias in aliases}
    for unit in units:
        alias = listed.get(unit.code)
        if alias is not None and _overlap(unit, alias):
            refuse(
                where,
                f"{unit.code} is a unit and an alias of {alias.unit} at the same time; close the unit, or end or remove the alias",
            )
    for alias in aliases:
        further = listed.get(alias.unit)
        if further is not None and _overlap(alias, further):
            refuse(where, f"alias {alias.code} leads to {alias.unit}, an alias itself; let it lead to {further.unit}")


def _overlap(one: pb.Unit | pb.Alias | Unit | Alias, other: pb.Alias | Alias) -> bool:
    """Tell whether there is a time at which both hold (model.directory.is_within)."""
    return _begins_before(one.valid_from_ms, other.valid_to_ms) and _begins_before(other.valid_from_ms, one.valid_to_ms)


def _begins_before(from_ms: int, to_ms: int) -> bool:
    """Tell whether something begins before something ends; an end of 0 never comes."""
    return not to_ms or from_ms < to_ms


def _check_order(where: str, what: str, codes: Iterable[str]) -> None:
    # In order, because one pass then finds doubles, and lookup/units.py searches the codes as they come, by halves.
    before = ""
    for code in codes:
        if code <= before:
            refuse(where, f"{what} {code} is listed twice" if code == before else f"{what} {code} is out of order")
        before = code


def _check_unit(where: str, prefix: str, unit: pb.Unit) -> str:
    code = _check_own_code(where, prefix, "unit", unit.code)
    _check_name(where, f"name of {code}", unit.name)
    for short_name in unit.short_names:
        _check_name(where, f"short name of {code}", short_name)
    for other in (unit.parent, unit.successor):
        if other:
            _check_code(where, other)
    if len(unit.mail) > MAIL_CHARACTERS_MAX or _CONTROL.search(unit.mail):
        refuse(where, f"mail of {code} is longer than {MAIL_CHARACTERS_MAX} characters or has control characters")
    _check_validity(where, code, unit.valid_from_ms, unit.valid_to_ms)
    return code


def _check_leaf(where: str, unit: pb.Unit) -> str:
    try:
        code = parse_leaf(unit.code).text
    except Rejected as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: {error.detail}") from error
    if code != unit.code:
        refuse(where, f"code {unit.code!r} is not in its canonical form {code}")
    _check_name(where, f"name of {code}", unit.name)
    for short_name in unit.short_names:
        _check_name(where, f"short name of {code}", short_name)
    _check_validity(where, code, unit.valid_from_ms, unit.valid_to_ms)
    return code


def _check_alias(where: str, prefix: str, alias: pb.Alias) -> str:
    code = _check_own_code(where, prefix, "alias", alias.code)
    if _check_code(where, alias.unit) == code:
        refuse(where, f"alias {code} leads to itself")
    _check_validity(where, f"alias {code}", alias.valid_from_ms, alias.valid_to_ms)
    if alias.valid_from_ms and alias.valid_from_ms == alias.valid_to_ms:
        refuse(where, f"alias {code} ends when it begins")
    return code


def _check_own_code(where: str, prefix: str, what: str, text: str) -> str:
    code = _check_code(where, text)
    if not (code == prefix or code.startswith(prefix + ".")):
        refuse(where, f"{what} {code} is not under {prefix}")
    return code


def _check_code(where: str, text: str) -> str:
    try:
        code = parse_code(text)
    except Rejected as error:
        raise Broken(Reason.DIRECTORY_INVALID, f"{where}: {error.detail}") from error
    # Two spellings of one code would be two units to everything that compares texts.
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


def _check_relays(where: str, node_id: str, relays: list[str]) -> None:
    if len(relays) > RELAYS_MAX or len(set(relays)) < len(relays) or node_id in relays:
        refuse(where, f"via_relays names the node itself, a node twice, or more than {RELAYS_MAX}")
    for relay in relays:
        try:
            check_node_id(relay)
        except Broken as fault:
            refuse(where, f"via_relays: {fault.detail}")


def _check_further_addresses(where: str, file: pb.NodeFile) -> None:
    further = list(file.further_addresses)
    if further and (not file.mesh_address or len(further) >= ADDRESSES_MAX or not all(further)):
        refuse(where, f"{len(further)} further addresses: they follow a first one, {ADDRESSES_MAX} in all, none empty")
    for address in further:
        _check_address(where, address)


def _check_certificates(where: str, certificates: list[bytes]) -> None:
    if not 0 < len(certificates) <= KEYS_MAX:
        refuse(where, f"{len(certificates)} TLS certificates, 1 to {KEYS_MAX} are needed")
    for der in certificates:
        # A DER certificate is a SEQUENCE; whether TLS can use it is for others to say (certificates.py).
        if not der.startswith(b"\x30") or len(der) > CERTIFICATE_BYTES_MAX:
            refuse(where, "a TLS certificate is not DER")


def _check_keys(where: str, what: str, keys: list[pb.PublicKey]) -> None:
    if not 0 < len(keys) <= KEYS_MAX:
        refuse(where, f"{len(keys)} {what}s, 1 to {KEYS_MAX} are needed")
    for key in keys:
        if key.suite != SUITE or len(key.raw) != KEY_BYTES:
            refuse(where, f"a {what} is not {KEY_BYTES} octets of suite {SUITE}")
        _check_validity(where, what, key.valid_from_ms, key.valid_to_ms)
