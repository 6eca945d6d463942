"""Real nodes whose bridges are open: for tests and benches."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from node.access.systems import Systems
from node.access.vxp_secrets import VxpSecrets
from node.config.home import Homestead
from node.seal.keyring import load_keys
from node.seal.tls import create_certificate
from tests.clocks import now_ms
from tests.ports import free_ports
from tests.real_mesh import READY_LIMIT_S, NodeSpec, RealMesh, RealNode, wait_for
from tests.web.sdk import Sdk


@dataclass
class BridgedMesh:
    """A mesh of processes; each node's bridge is at `ports[node_id]`."""

    mesh: RealMesh
    ports: dict[str, int]

    def __enter__(self) -> "BridgedMesh":
        self.mesh.__enter__()
        for node_id in self.ports:
            self._wait_open(node_id)
        return self

    def __exit__(self, *_: object) -> None:
        self.mesh.close()

    def __getitem__(self, node_id: str) -> RealNode:
        return self.mesh[node_id]

    def start(self, node_id: str) -> None:
        """Start a node again and wait until its bridge is open."""
        self.mesh[node_id].start()
        self._wait_open(node_id)

    def _wait_open(self, node_id: str) -> None:
        wait_for(lambda: self._is_open(self.ports[node_id]), READY_LIMIT_S, f"the bridge of {node_id}")

    def _is_open(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def system(self, node_id: str, name: str, *units: str, tls: ssl.SSLContext | None = None) -> Sdk:
        """Connect a system, as `truc system add --vxp` does while the node runs."""
        place = Homestead(self.mesh[node_id].home)
        Systems(place.systems_folder).create(name, units)
        keys = load_keys(place.keys, node_id, None)
        secret = VxpSecrets(place.systems_folder, keys).create(name, keys.public_keys().sealing[0])
        return Sdk(self.ports[node_id], name, secret, tls)


def bridged_mesh(
    folder: Path, specs: Sequence[NodeSpec], *, tls: "Certificate | None" = None, toml: str = ""
) -> BridgedMesh:
    """Make the homes of nodes with open bridges; enter it to start them."""
    ports = dict(zip((spec.node_id for spec in specs), free_ports(len(specs)), strict=True))
    files = f'certificate = "{tls.certificate}"\nkey = "{tls.key}"\n' if tls else ""
    opened = [
        replace(spec, toml=f'{spec.toml}[vxp]\nlisten = "127.0.0.1:{ports[spec.node_id]}"\n{files}') for spec in specs
    ]
    return BridgedMesh(RealMesh(folder, opened, toml), ports)


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate that clients trust."""

    certificate: Path
    key: Path

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def certificate(folder: Path) -> Certificate:
    made = create_certificate("vxp", ["localhost", "127.0.0.1"], 30, now_ms())
    found = Certificate(folder / "vxp.crt", folder / "vxp.key")
    found.certificate.write_bytes(made.certificate_pem)
    found.key.touch(0o600)
    found.key.write_bytes(made.key_pem)
    return found
