"""Zone (vùng), the node's own: its key, what it lists, and what its operator sends to the authority.

    <home>/zone/  key.pem (mode 0600), key.json (public), node (NodeFile without units), role.json, and what listing.py keeps

Whatever is accepted here is on disk when the call returns, but nobody else knows until `update` has signed it and the authority
has published it. The version of the role rises with every `update`.
"""

from pathlib import Path

from node.directory.files import read_file, write_file
from node.directory.layout import (
    CONSENT_LABEL,
    ZONE_DAYS,
    check_node_id,
    node_target,
    role_path,
    target_path,
    zone_target,
)
from node.directory.rules import check_node_file
from node.directory.signing import create_key, expires, key_from_json, key_to_json, open_signer, signed, time_ms
from node.directory.translate import node_file, to_bytes, unit_message
from node.directory.tufapi import Metadata, TargetFile, Targets
from node.directory.zone.listing import Listing, code_lines
from node.errors import Broken
from node.model.code import Code, parse_code
from node.model.directory import NodeEntry
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb


def create_join_request(
    folder: Path, entry: NodeEntry, prefixes: list[Code], now_ms: int, *, first_version: int = 1
) -> bytes:
    """Make the zone key and an empty zone in `<home>/zone`; return the join request for the authority.

    Opaque codes among the prefixes are asked for as such.
    `first_version` is above 1 only for a node that was admitted before and has lost its zone folder.
    Raises Broken(ALREADY_EXISTS) if there is a zone, Broken(DIRECTORY_INVALID) if `entry` breaks the rules of a node file.
    """
    check_node_id(entry.node_id)
    check_node_file(to_bytes(node_file(entry)), entry.node_id)
    if (folder / "key.pem").exists():
        raise Broken(Reason.ALREADY_EXISTS, str(folder / "key.pem"))
    write_file(folder / "node", to_bytes(node_file(entry)))
    write_file(folder / "prefixes", code_lines(code for code in prefixes if not code.is_leaf))
    write_file(folder / "leaves", code_lines(code for code in prefixes if code.is_leaf))
    write_file(folder / "key.json", key_to_json(create_key(folder / "key.pem")))
    return ZoneEditor.open(folder).join_request(now_ms, first_version=first_version)


class ZoneEditor(Listing):
    """Changes a node's zone (what it lists, how the node is described) and signs it.

    It is not for two at once: open it by zone_lock.editing to change anything.
    """

    def __init__(self, folder: Path, node: pb.NodeFile, prefixes: list[Code], leaves: list[Code]) -> None:
        """Use `open`."""
        super().__init__(folder, node.node_id, prefixes, leaves)
        self._node = node

    @classmethod
    def open(cls, folder: Path) -> "ZoneEditor":
        """Open `<home>/zone`. Raises Broken(HOME_MISSING) if there is none, Broken(DIRECTORY_INVALID) if it is damaged."""
        node, prefixes = read_file(folder / "node"), read_file(folder / "prefixes")
        if node is None or prefixes is None:
            raise Broken(Reason.HOME_MISSING, f"{folder} holds no zone")
        node_id = pb.NodeFile.FromString(node).node_id
        leaves = read_file(folder / "leaves") or b""  # missing in a zone made by an older version
        return cls(folder, check_node_file(node, node_id), _codes(prefixes), _codes(leaves))

    @property
    def node_id(self) -> str:
        """The id of the node whose zone it is."""
        return self._node.node_id

    @property
    def version(self) -> int:
        """Version of what was signed last; 0 before the first time."""
        role = self._role()
        return role.version if role else 0

    @property
    def expire_at_ms(self) -> int:
        """The time at which the last signature runs out, milliseconds since 1970 UTC; 0 if there is none. Sign again well before."""
        role = self._role()
        return time_ms(role.expires) if role else 0

    def set_node(self, entry: NodeEntry) -> None:
        """Describe the node anew (address, certificates, keys; not its units). Raises Broken(DIRECTORY_INVALID)."""
        assert entry.node_id == self.node_id
        data = to_bytes(node_file(entry))
        self._node = check_node_file(data, entry.node_id)
        write_file(self._folder / "node", data)

    def join_request(self, now_ms: int, *, first_version: int = 1) -> bytes:
        """Sign everything and return it as a join request."""
        files = self._sign(max(first_version, self.version + 1), now_ms)
        key = read_file(self._folder / "key.json") or b""
        prefixes = [prefix.text for prefix in self._prefixes]
        leaves = [leaf.text for leaf in self._leaves]
        return to_bytes(pb.JoinRequest(node=self._node, zone_key=key, prefixes=prefixes, files=files, leaves=leaves))

    def consent(self, prefix: Code, node_id: str, now_ms: int) -> pb.SignedConsent:
        """Agree that another node holds a prefix inside ours; the authority verifies it (authority/consent.py)."""
        said = pb.PrefixConsent(prefix=prefix.text, node_id=node_id, holder=self.node_id, create_time_ms=now_ms)
        octets = said.SerializeToString(deterministic=True)
        key = key_from_json(read_file(self._folder / "key.json") or b"")
        signature = open_signer(self._folder / "key.pem", key).sign(CONSENT_LABEL + octets)
        return pb.SignedConsent(consent=octets, signature=bytes.fromhex(signature.signature))

    def update(self, now_ms: int) -> bytes:
        """Sign everything under the next version and return it as a zone update for the authority."""
        return to_bytes(pb.ZoneUpdate(node_id=self.node_id, files=self._sign(self.version + 1, now_ms)))

    def _sign(self, version: int, now_ms: int) -> dict[str, bytes]:
        """Sign the role; return all files by path. Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED, KEY_UNUSABLE."""
        targets = {node_target(self.node_id): self._described()}
        targets.update({zone_target(prefix): data for prefix, data in self.zone_files().items()})
        infos = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in targets.items()}
        role = Targets(version=version, expires=expires(now_ms, ZONE_DAYS), targets=infos)
        key = key_from_json(read_file(self._folder / "key.json") or b"")
        signed_role = signed(role, [open_signer(self._folder / "key.pem", key)])
        # Remembered before anybody gets it: one version signed with two contents would be a fork to all who meet both (trust/verify.py).
        write_file(self._folder / "role.json", signed_role)
        files = {target_path(path): data for path, data in targets.items()}
        return {role_path(self.node_id): signed_role, **files}

    def _described(self) -> bytes:
        """Return the node's file with its units that have opaque codes. Raises Broken(DIRECTORY_INVALID) if they are too many."""
        file = pb.NodeFile.FromString(to_bytes(self._node))
        del file.leaves[:]
        file.leaves.extend(unit_message(word) for word in self.leaf_units())
        data = to_bytes(file)
        check_node_file(data, self.node_id)
        return data

    def _role(self) -> Targets | None:
        data = read_file(self._folder / "role.json")
        return Metadata[Targets].from_bytes(data).signed if data is not None else None


def _codes(lines: bytes) -> list[Code]:
    return [parse_code(line) for line in lines.decode().split()]
