"""Translation of node files, zone files, units and aliases: messages of directory.proto <-> model words. Nothing is judged (rules.py).

Names become NFC both ways: they are compared and searched, and Vietnamese is typed in either form.
"""

import unicodedata
from collections.abc import Iterable

from node.directory.layout import SHORT_NAMES_MAX, UNSEEN
from node.model.code import Code
from node.model.directory import Alias, NodeEntry, PublicKey, Role, Unit
from node.wire.truc.v1 import directory_pb2 as pb


def node_entry(file: pb.NodeFile, roles: frozenset[Role]) -> NodeEntry:
    """Return a node as the directory describes it; roles come from the grant, never from the file."""
    return NodeEntry(
        node_id=file.node_id,
        name=file.name,
        mesh_address=file.mesh_address,
        via_relays=tuple(file.via_relays),
        tls_certificates=tuple(file.tls_certificates),
        signing_keys=tuple(_key(key) for key in file.signing_keys),
        sealing_keys=tuple(_key(key) for key in file.sealing_keys),
        roles=roles,
        further_addresses=tuple(file.further_addresses),
        leaves=tuple(unit(message) for message in file.leaves),
    )


def node_file(entry: NodeEntry) -> pb.NodeFile:
    """Return the file by which a node describes itself."""
    return pb.NodeFile(
        node_id=entry.node_id,
        name=unicodedata.normalize("NFC", entry.name),
        mesh_address=entry.mesh_address,
        via_relays=entry.via_relays,
        tls_certificates=entry.tls_certificates,
        signing_keys=[_key_message(key) for key in entry.signing_keys],
        sealing_keys=[_key_message(key) for key in entry.sealing_keys],
        further_addresses=entry.further_addresses,
        leaves=[unit_message(word) for word in sorted(entry.leaves, key=lambda word: word.code)],
    )


def visible(name: str) -> str:
    """Return a name in NFC and without characters that turn the direction of writing or have no width."""
    return UNSEEN.sub("", unicodedata.normalize("NFC", name))


def unit(message: pb.Unit) -> Unit:
    """Return a unit in words; names in NFC, however they were written, without what nobody sees in them.

    Of too many short names the first are taken: a zone with odd names is still a zone, and its units are served.
    """
    return Unit(
        message.code,
        visible(message.name) or message.code,
        tuple(filter(None, map(visible, message.short_names[:SHORT_NAMES_MAX]))),
        message.parent,
        message.valid_from_ms,
        message.valid_to_ms,
        message.successor,
        message.mail,
    )


def unit_message(word: Unit) -> pb.Unit:
    """Return the message for a unit; names in NFC."""
    return pb.Unit(
        code=word.code,
        name=unicodedata.normalize("NFC", word.name),
        short_names=[unicodedata.normalize("NFC", name) for name in word.short_names],
        parent=word.parent,
        valid_from_ms=word.valid_from_ms,
        valid_to_ms=word.valid_to_ms,
        successor=word.successor,
        mail=word.mail,
    )


def alias(message: pb.Alias) -> Alias:
    """Return an alias in words."""
    return Alias(message.code, message.unit, message.valid_from_ms, message.valid_to_ms)


def alias_message(word: Alias) -> pb.Alias:
    """Return the message for an alias."""
    return pb.Alias(code=word.code, unit=word.unit, valid_from_ms=word.valid_from_ms, valid_to_ms=word.valid_to_ms)


def zone_bytes(prefix: Code, node_id: str, units: Iterable[Unit], aliases: Iterable[Alias] = ()) -> bytes:
    """Return the octets of a zone file, its units and its aliases in order of code."""
    file = pb.ZoneFile(
        prefix=prefix.text,
        node_id=node_id,
        units=[unit_message(word) for word in sorted(units, key=lambda word: word.code)],
        aliases=[alias_message(word) for word in sorted(aliases, key=lambda word: word.code)],
    )
    return to_bytes(file)


def to_bytes(message: pb.ZoneFile | pb.NodeFile | pb.JoinRequest | pb.ZoneUpdate) -> bytes:
    """Serialise so that the same words always give the same octets, and so the same digest in what is signed."""
    return message.SerializeToString(deterministic=True)


def _key(message: pb.PublicKey) -> PublicKey:
    return PublicKey(message.raw, message.suite, message.valid_from_ms, message.valid_to_ms)


def _key_message(key: PublicKey) -> pb.PublicKey:
    return pb.PublicKey(raw=key.raw, suite=key.suite, valid_from_ms=key.valid_from_ms, valid_to_ms=key.valid_to_ms)
