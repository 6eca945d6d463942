"""The node's own zone (vùng): its key, its units, and what its operator sends to the authority.

    <home>/zone/  key.pem (mode 0600), key.json (public), node (NodeFile), prefixes, units/<prefix> (ZoneFile), role.json

Whatever is accepted here is on disk when the call returns, but nobody else knows until `update` has signed it and the authority
has published it. The version of the role rises with every `update`.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from node.directory.files import read_file, write_file
from node.directory.layout import ZONE_DAYS, check_node_id, node_target, role_path, target_path, zone_target
from node.directory.rules import check_node_file, check_unit, check_zone_file
from node.directory.signing import create_key, expires, key_from_json, key_to_json, open_signer, signed, time_ms
from node.directory.translate import node_file, to_bytes, unit, unit_message, zone_bytes
from node.directory.tufapi import Metadata, TargetFile, Targets
from node.errors import Broken, Denied, Rejected
from node.model.code import Code, parse_code
from node.model.directory import NodeEntry, Unit
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb


def create_join_request(
    folder: Path, entry: NodeEntry, prefixes: list[Code], now_ms: int, *, first_version: int = 1
) -> bytes:
    """Make the zone key and an empty zone in `<home>/zone`; return the join request for the authority.

    `first_version` is above 1 only for a node that was admitted before and has lost its zone folder.
    Raises Broken(ALREADY_EXISTS) if there is a zone, Broken(DIRECTORY_INVALID) if `entry` breaks the rules of a node file.
    """
    check_node_id(entry.node_id)
    check_node_file(to_bytes(node_file(entry)), entry.node_id)
    if (folder / "key.pem").exists():
        raise Broken(Reason.ALREADY_EXISTS, str(folder / "key.pem"))
    write_file(folder / "node", to_bytes(node_file(entry)))
    write_file(folder / "prefixes", _prefix_lines(prefixes))
    write_file(folder / "key.json", key_to_json(create_key(folder / "key.pem")))
    return ZoneEditor.open(folder).join_request(now_ms, first_version=first_version)


class ZoneEditor:
    """Changes a node's zone. Not for two at once: who changes anything opens it by zone_lock.editing."""

    def __init__(self, folder: Path, node: pb.NodeFile, prefixes: list[Code]) -> None:
        """Use `open`."""
        self._folder = folder
        self._node = node
        self._prefixes = sorted(set(prefixes))
        self._units: dict[Code, dict[str, Unit]] = {prefix: self._read_units(prefix) for prefix in self._prefixes}

    @classmethod
    def open(cls, folder: Path) -> "ZoneEditor":
        """Open `<home>/zone`. Raises Broken(HOME_MISSING) if there is none, Broken(DIRECTORY_INVALID) if it is damaged."""
        node, prefixes = read_file(folder / "node"), read_file(folder / "prefixes")
        if node is None or prefixes is None:
            raise Broken(Reason.HOME_MISSING, f"{folder} holds no zone")
        node_id = pb.NodeFile.FromString(node).node_id
        return cls(folder, check_node_file(node, node_id), [parse_code(line) for line in prefixes.decode().split()])

    @property
    def node_id(self) -> str:
        """Whose zone it is."""
        return self._node.node_id

    @property
    def prefixes(self) -> list[Code]:
        """The prefixes asked for, or set since, in order."""
        return list(self._prefixes)

    @property
    def version(self) -> int:
        """Version of what was signed last; 0 before the first time."""
        role = self._role()
        return role.version if role else 0

    @property
    def expire_at_ms(self) -> int:
        """When the last signature runs out, milliseconds since 1970 UTC; 0 if there is none. Sign again well before."""
        role = self._role()
        return time_ms(role.expires) if role else 0

    def units(self) -> list[Unit]:
        """Return all units, in order of code."""
        return sorted((word for units in self._units.values() for word in units.values()), key=lambda word: word.code)

    def unit(self, code: Code) -> Unit | None:
        """Return one unit or None."""
        return next((units[code.text] for units in self._units.values() if code.text in units), None)

    def add_unit(self, word: Unit) -> None:
        """Add a unit, or replace the one of the same code; see `add_units`."""
        self.add_units([word])

    def add_units(self, words: Iterable[Unit]) -> int:
        """Add or replace units, all or none; codes in either written form. Return how many.

        Each goes into the zone of the longest own prefix. Raises Denied(PEER_SPEAKS_FOR_OTHERS) for a code under none of them,
        Rejected(CODE_MALFORMED), or Broken(DIRECTORY_INVALID) for a name or validity that is not allowed.
        """
        placed: dict[Code, dict[str, Unit]] = {}
        count = 0
        for count, word in enumerate(words, 1):  # noqa: B007  the last number is the count
            message = unit_message(_canonical(word))
            prefix = self._prefix_for(parse_code(message.code))
            check_unit(prefix, message)
            placed.setdefault(prefix, {})[message.code] = unit(message)
        for prefix, units in placed.items():
            self._units[prefix].update(units)
            self._save(prefix)
        return count

    def close_unit(self, code: Code, at_ms: int, successor: Code | None = None) -> None:
        """Close a unit at a time, naming who takes over. Raises Rejected(RECIPIENT_UNKNOWN) if there is no such unit."""
        self.add_unit(replace(self._need(code), valid_to_ms=at_ms, successor=successor.text if successor else ""))

    def remove_unit(self, code: Code) -> None:
        """Remove a unit altogether; only for mistakes, else close it. Raises Rejected(RECIPIENT_UNKNOWN)."""
        self._need(code)
        self.remove_units([code])

    def remove_units(self, codes: Iterable[Code]) -> int:
        """Remove those of the units that are there; return how many. Also after a sub-prefix was granted to somebody else."""
        texts = {code.text for code in codes}
        removed = 0
        for prefix, units in self._units.items():
            if found := texts & units.keys():
                self._units[prefix] = {code: word for code, word in units.items() if code not in found}
                self._save(prefix)
                removed += len(found)
        return removed

    def set_prefixes(self, prefixes: list[Code]) -> None:
        """Take over the prefixes that were granted; units move to the longest one.

        Units under none of them are no longer signed; they stay on disk and come back with their prefix.
        """
        added = [prefix for prefix in prefixes if prefix not in self._units]
        words = [*(word for prefix in added for word in self._read_units(prefix).values()), *self.units()]
        self._prefixes = sorted(set(prefixes))
        write_file(self._folder / "prefixes", _prefix_lines(self._prefixes))
        self._units = {prefix: {} for prefix in self._prefixes}
        for word in words:
            prefix = self._longest(parse_code(word.code))
            if prefix is not None:
                self._units[prefix][word.code] = word
        for prefix in self._prefixes:
            self._save(prefix)

    def set_node(self, entry: NodeEntry) -> None:
        """Describe the node anew (address, certificates, keys). Raises Broken(DIRECTORY_INVALID)."""
        assert entry.node_id == self.node_id
        data = to_bytes(node_file(entry))
        self._node = check_node_file(data, entry.node_id)
        write_file(self._folder / "node", data)

    def join_request(self, now_ms: int, *, first_version: int = 1) -> bytes:
        """Sign everything and return it as a join request."""
        files = self._sign(max(first_version, self.version + 1), now_ms)
        key = read_file(self._folder / "key.json") or b""
        prefixes = [prefix.text for prefix in self._prefixes]
        return to_bytes(pb.JoinRequest(node=self._node, zone_key=key, prefixes=prefixes, files=files))

    def update(self, now_ms: int) -> bytes:
        """Sign everything under the next version and return it as a zone update for the authority."""
        return to_bytes(pb.ZoneUpdate(node_id=self.node_id, files=self._sign(self.version + 1, now_ms)))

    def _sign(self, version: int, now_ms: int) -> dict[str, bytes]:
        """Sign the role; return all files by path. Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED, KEY_UNUSABLE."""
        targets = {node_target(self.node_id): to_bytes(self._node)}
        for prefix, units in self._units.items():
            if units:
                targets[zone_target(prefix)] = zone_bytes(prefix, self.node_id, units.values())
        infos = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in targets.items()}
        role = Targets(version=version, expires=expires(now_ms, ZONE_DAYS), targets=infos)
        key = key_from_json(read_file(self._folder / "key.json") or b"")
        signed_role = signed(role, [open_signer(self._folder / "key.pem", key)])
        write_file(self._folder / "role.json", signed_role)
        files = {target_path(path): data for path, data in targets.items()}
        return {role_path(self.node_id): signed_role, **files}

    def _role(self) -> Targets | None:
        data = read_file(self._folder / "role.json")
        return Metadata[Targets].from_bytes(data).signed if data is not None else None

    def _read_units(self, prefix: Code) -> dict[str, Unit]:
        data = read_file(self._folder / "units" / prefix.text)
        if data is None:
            return {}
        return {message.code: unit(message) for message in check_zone_file(data, prefix, self.node_id).units}

    def _save(self, prefix: Code) -> None:
        write_file(self._folder / "units" / prefix.text, zone_bytes(prefix, self.node_id, self._units[prefix].values()))

    def _need(self, code: Code) -> Unit:
        word = self.unit(code)
        if word is None:
            raise Rejected(Reason.RECIPIENT_UNKNOWN, f"there is no unit {code} in this zone")
        return word

    def _longest(self, code: Code) -> Code | None:
        """Return the longest of the own prefixes that the code is under."""
        return max((p for p in self._prefixes if code.is_under(p)), key=lambda p: len(p.labels), default=None)

    def _prefix_for(self, code: Code) -> Code:
        prefix = self._longest(code)
        if prefix is None:
            own = ", ".join(map(str, self._prefixes)) or "none"
            raise Denied(Reason.PEER_SPEAKS_FOR_OTHERS, f"unit {code} is under none of this node's prefixes ({own})")
        return prefix


def _canonical(word: Unit) -> Unit:
    """Return the unit with all its codes in canonical form."""
    codes = (word.code, word.parent, word.successor)
    code, parent, successor = (parse_code(text).text if text else "" for text in codes)
    return replace(word, code=code, parent=parent, successor=successor)


def _prefix_lines(prefixes: Iterable[Code]) -> bytes:
    return "".join(f"{prefix}\n" for prefix in sorted(set(prefixes))).encode()
