"""A bridge over the small mesh: real nodes in one process, real sockets, systems and secrets in a folder."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from node.access.systems import Systems
from node.access.tls_files import TlsFiles
from node.access.vxp_secrets import VxpSecrets
from node.directory.zone.zone import create_join_request
from node.flow.inbox.vxp_inbox import VxpInbox
from node.model.code import parse_code
from node.model.directory import NodeEntry, PublicKey, Unit
from node.model.policy import Policy
from node.net.errors import Tally
from node.seal.tls import create_certificate
from node.web.door import WebDoor
from node.web.throttle import Brake
from node.web.vxp.build import vxp_door
from node.web.vxp.context import BridgeContext
from node.web.vxp.register import Registrar
from tests.small_mesh import IMPATIENT, PREFIX, UNITS, Office, SmallMesh, eventually, small_mesh
from tests.web.sdk import Sdk

__all__ = ["Bridged", "eventually", "run", "two_bridges"]

T = TypeVar("T")


def run(story: Coroutine[Any, Any, T], limit_s: float = 60) -> T:
    return asyncio.run(asyncio.wait_for(story, limit_s))


@dataclass
class Bridged:
    """One node of the small mesh with a bridge before it."""

    office: Office
    context: BridgeContext
    door: WebDoor
    tally: Tally
    zone: Path
    now_s: list[float]
    """The time by which secrets are looked at again."""

    def system(self, name: str, *units: str) -> Sdk:
        """Connect a system and return a service object of the library for it."""
        self.context.systems.create(name, units)
        self.context.systems.open_registrations(name, 2**45)
        return self.sdk(name, self.secret(name))

    def secret(self, name: str) -> str:
        return self.context.secrets.create(name, self.office.ports.keys.public_keys().sealing[0])

    def sdk(self, name: str, secret: str, **more: Any) -> Sdk:
        return Sdk(self.door.port, name, secret, **more)


@asynccontextmanager
async def bridged(office: Office, folder: Path, *, tls: TlsFiles | None = None, brake: Brake | None = None):  # type: ignore[no-untyped-def]
    """Open a bridge before a node; at the end nothing may have failed inside."""
    ports, node_id = office.ports, office.node.node_id
    systems = Systems(folder / "systems", folder / "admin.token")
    zone = _zone(folder / "zone", office)
    registrar = Registrar(zone, systems, ports.clock.now_ms)
    now_s = [0.0]
    secrets = VxpSecrets(folder / "systems", ports.keys, monotonic_s=lambda: now_s[0])
    context = BridgeContext(
        office.node, VxpInbox(ports), ports.directory.current, systems, secrets, registrar, ports.clock.now_ms
    )
    tally = Tally()
    quick = brake or Brake(first_delay_s=0.001, longest_delay_s=0.002)
    door = vxp_door("127.0.0.1:0", tls, context, brake=quick, tally=tally)
    await door.start()
    try:
        yield Bridged(office, context, door, tally, zone, now_s)
    finally:
        await door.stop()
        assert not tally.failed, f"{node_id}: {tally.failed}"


def _zone(folder: Path, office: Office) -> Path:
    node_id, public = office.node.node_id, office.ports.keys.public_keys()
    certificate = create_certificate(node_id, ["localhost"], 30, office.ports.clock.now_ms()).certificate_der
    signing, sealing = (tuple(PublicKey(raw, 1) for raw in keys) for keys in (public.signing, public.sealing))
    entry = NodeEntry(node_id, node_id, "", (), (certificate,), signing, sealing)
    create_join_request(folder, entry, [parse_code(PREFIX[node_id])], office.ports.clock.now_ms())
    from node.directory.zone.zone import ZoneEditor

    ZoneEditor.open(folder).add_units([Unit(code, title) for code, title in UNITS[node_id]])
    return folder


@asynccontextmanager
async def two_bridges(folder: Path, policy: Policy | None = None) -> AsyncIterator[tuple[Bridged, Bridged, SmallMesh]]:
    """A ministry (g14) and a province (h49), each with a bridge. Software that uses the library reports 01 itself."""
    async with (
        small_mesh(policy or replace(IMPATIENT, arrival=False)) as mesh,
        bridged(mesh["g14"], folder / "g14") as ministry,
        bridged(mesh["h49"], folder / "h49") as province,
    ):
        yield ministry, province, mesh
