"""People of the stories in this folder: an authority, nodes, and a country on paper."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from node.directory.authority.authority import Authority
from node.directory.authority.draft import Draft
from node.directory.layout import role_path, target_path
from node.directory.signing import expires, key_from_json, open_signer, signed
from node.directory.translate import node_file, to_bytes
from node.directory.trust.trust import TrustedFolder
from node.directory.tufapi import TargetFile, Targets
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.model.code import Code, parse_code
from node.model.directory import NodeEntry, PublicKey, Role, Unit

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000


def codes(*texts: str) -> list[Code]:
    return [parse_code(text) for text in texts]


def octets(label: str, size: int = 32) -> bytes:
    return hashlib.shake_128(label.encode()).digest(size)


def entry(node_id: str, name: str = "", address: str = "127.0.0.1:7701") -> NodeEntry:
    """A node's description with keys that look right; nobody opens them here."""
    return NodeEntry(
        node_id=node_id,
        name=name or f"Nút {node_id}",
        mesh_address=address,
        via_relays=(),
        tls_certificates=(b"\x30" + octets(node_id + " tls", 400),),
        signing_keys=(PublicKey(octets(node_id + " sign"), 1),),
        sealing_keys=(PublicKey(octets(node_id + " seal"), 1),),
    )


@dataclass
class Country:
    """One authority, and each node's zone folder under `root`."""

    root: Path
    authority: Authority

    def zone_folder(self, node_id: str) -> Path:
        return self.root / node_id / "zone"

    def join(self, node_id: str, *prefixes: str, roles: set[Role] | None = None) -> ZoneEditor:
        """Create a node and admit it with the prefixes it asks for."""
        request = create_join_request(self.zone_folder(node_id), entry(node_id), codes(*prefixes), NOW_MS)
        self.authority.admit(request, None, roles or set(), NOW_MS)
        return ZoneEditor.open(self.zone_folder(node_id))

    def trusted(self, name: str) -> TrustedFolder:
        """A node's trusted folder, bootstrapped with the authority's root."""
        folder = TrustedFolder(self.root / name / "directory")
        folder.bootstrap(self.authority.root_json())
        return folder


def country(root: Path) -> Country:
    return Country(root, Authority.create(root / "authority", "Cục Chuyển đổi số", NOW_MS))


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder by path, as they travel."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unit(code: str, name: str = "", **more: object) -> Unit:
    return Unit(code, name or f"Đơn vị {code}", **more)  # type: ignore[arg-type]


def smuggle(land: Country, node_id: str, targets: dict[str, bytes], version: int, *, days: int = 730) -> None:
    """Sign files with a node's key and put them into the authority's draft past all its checks, as a careless authority might."""
    folder = land.zone_folder(node_id)
    signer = open_signer(folder / "key.pem", key_from_json((folder / "key.json").read_bytes()))
    infos = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in targets.items()}
    role = Targets(version=version, expires=expires(NOW_MS, days), targets=infos)
    draft = Draft(land.root / "authority")
    draft.write(role_path(node_id), signed(role, [signer]))
    for path, data in targets.items():
        draft.write(target_path(path), data)


def node_bytes(described: NodeEntry) -> bytes:
    return to_bytes(node_file(described))
