"""A mesh of real processes on loopback: real keys, TUF directory, mutual TLS, RocksDB. For tests/mesh and tests/bench.

    with RealMesh(folder, NODES) as mesh:       # starts every node and waits until it serves
        client = mesh.office("g14")       # a client with credentials for all of the node's units

Processes are ended by the end of the block, whatever happened in it.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.access.credential import Credential
from node.access.systems import Systems
from node.config.home import Homestead
from node.config.settings import load_settings
from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.model.code import parse_code
from node.model.directory import NodeEntry, PublicKey, Role, Unit
from node.model.policy import DAY_MS
from node.net.admin_client import AdminClient
from node.net.client import OfficeClient
from node.seal.keyring import create_keys, load_keys
from node.seal.tls import create_certificate, load_tls, write_tls
from tests.clocks import now_ms
from tests.ports import free_ports

ROOT = Path(__file__).parents[1]
READY_LIMIT_S = 30.0
NO_ARRIVALS = "[statuses]\narrival = false\n"
"""Settings with which nodes send no statuses of their own accord: for tests and benches that count packets."""
SERVE = (sys.executable, "-m", "node.cli.main", "serve")


@dataclass(frozen=True)
class NodeSpec:
    """The specification of a node of the mesh."""

    node_id: str
    prefix: str = ""
    units: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset()
    via_relays: tuple[str, ...] = ()
    toml: str = ""
    certificate_age_days: int = 0
    """How long ago its TLS certificate was made, which is good for 90 days."""


CENTRE = NodeSpec("centre", roles=frozenset({Role.RELAY, Role.DIRECTORY}), toml="[relay]\ncarry_for_others = true\n")
MINISTRY = NodeSpec("g14", "G14", ("G14", "G14.01"))
PROVINCE = NodeSpec("h49", "H49", ("H49", "H49.22", "H49.22.05"))


def wait_for(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait until something is so; fail after the limit."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {limit_s} s"
        time.sleep(0.02)


@dataclass
class RealNode:
    """One node's home and, while it runs, its process."""

    spec: NodeSpec
    home: Path
    mesh_port: int
    office_port: int
    credential: Credential
    process: "subprocess.Popen[bytes] | None" = None
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = SERVE
    """What serves the home that is named after it."""

    def start(self, wait: bool = True) -> None:
        """Start the process and wait until it serves."""
        assert self.process is None
        with (self.home / "log").open("ab") as out:
            self.process = subprocess.Popen(
                [*self.command, str(self.home)],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until both doors are open."""
        wait_for(lambda: self._is_open(self.office_port), READY_LIMIT_S, f"start of {self.spec.node_id}")

    def _is_open(self, port: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.spec.node_id} ended:\n{self.log()[-4000:]}"
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def log(self) -> str:
        return (self.home / "log").read_text("utf-8", "replace")

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """End the process kindly; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(20)
        self.process = None
        return code

    def resident_bytes(self, what: str = "VmRSS") -> int:
        """Return resident memory now, or its peak (VmHWM)."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what)) * 1024

    def cpu_s(self) -> float:
        """Return processor seconds used so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class RealMesh:
    """Homes for several nodes under one authority, and their processes."""

    def __init__(self, folder: Path, specs: Sequence[NodeSpec], toml: str = "") -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "authority", "Trung tâm thử nghiệm", now_ms())
        ports = free_ports(2 * len(specs))
        self.nodes: dict[str, RealNode] = {}
        for at, spec in enumerate(specs):
            self.nodes[spec.node_id] = self._make(spec, ports[2 * at], ports[2 * at + 1], toml)
        self.authority.publish(now_ms())
        for node in self.nodes.values():
            self.join(node)

    def __enter__(self) -> "RealMesh":
        try:
            for node in self.nodes.values():
                node.start(wait=False)
            for node in self.nodes.values():
                node.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, node_id: str) -> RealNode:
        return self.nodes[node_id]

    def close(self) -> None:
        for node in self.nodes.values():
            node.kill()

    def office(self, node_id: str) -> OfficeClient:
        """Connect as a system that speaks for all of the node's units."""
        return OfficeClient.connect(self[node_id].credential)

    def join(self, node: RealNode) -> None:
        """Let a node trust the authority and read its directory."""
        trusted = TrustedFolder(Homestead(node.home).directory)
        trusted.bootstrap(self.authority.root_json())
        trusted.update_from(self.authority.public, now_ms())

    def _make(self, spec: NodeSpec, mesh_port: int, office_port: int, toml: str) -> RealNode:
        home = self.folder / spec.node_id
        place = Homestead(home)
        home.mkdir(parents=True)
        (home / "node.toml").write_text(
            f'node_id = "{spec.node_id}"\nname = "{spec.node_id}"\n'
            f'[mesh]\nlisten = "127.0.0.1:{mesh_port}"\nadvertise = "127.0.0.1:{mesh_port}"\n'
            f'[office]\nlisten = "127.0.0.1:{office_port}"\n{spec.toml}{toml}',
            "utf-8",
        )
        load_settings(home)
        create_keys(place.keys, None)
        made_ms = now_ms() - spec.certificate_age_days * DAY_MS
        write_tls(place.keys, create_certificate(spec.node_id, ["127.0.0.1", "localhost"], 90, made_ms), None)
        self._admit(spec, place, f"127.0.0.1:{mesh_port}")
        systems = Systems(place.systems_folder, place.admin_token)
        secret = systems.create("qlvb", spec.units or ("W00",))
        systems.ensure_admin_token()
        certificate = load_tls(place.keys, None).certificate_pem.decode()
        credential = Credential(f"127.0.0.1:{office_port}", certificate, "qlvb", secret)
        return RealNode(spec, home, mesh_port, office_port, credential)

    def _admit(self, spec: NodeSpec, place: Homestead, address: str) -> None:
        public = load_keys(place.keys, spec.node_id, None).public_keys()
        entry = NodeEntry(
            spec.node_id,
            f"Nút {spec.node_id}",
            address,
            spec.via_relays,
            (load_tls(place.keys, None).certificate_der,),
            tuple(PublicKey(raw, 1) for raw in public.signing),
            tuple(PublicKey(raw, 1) for raw in public.sealing),
        )
        prefixes = [parse_code(spec.prefix)] if spec.prefix else []
        request = create_join_request(place.zone, entry, prefixes, now_ms())
        self.authority.admit(request, None, set(spec.roles), now_ms())
        zone = ZoneEditor.open(place.zone)
        if spec.units:
            for code in spec.units:
                zone.add_unit(Unit(code, f"Đơn vị mẫu {code}"))
            self.authority.take(zone.update(now_ms()), now_ms())


def admin_client(node: RealNode) -> AdminClient:
    """Connect as the node's operator."""
    token = Homestead(node.home).admin_token.read_text("ascii").strip()
    return AdminClient.connect(node.credential.address, node.credential.certificate_pem.encode(), token)
