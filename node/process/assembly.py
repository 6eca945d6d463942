"""Assembly: builds the real ports and one running node. The only file that knows all rooms; node/config/home.py knows where things lie."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from node import __version__
from node.access.grants import OwnUnits
from node.access.systems import Systems
from node.access.tls_files import TlsFiles
from node.access.vxp_secrets import VxpSecrets
from node.access.webhooks import HookFiles
from node.config.calendar import load_calendar
from node.config.home import Homestead
from node.directory.trust.feed import DirectoryFeed
from node.directory.trust.source import LiveDirectory
from node.directory.trust.trust import TrustedFolder
from node.errors import Fault
from node.flow.inbox.vxp_inbox import VxpInbox
from node.log import get_logger
from node.model.directory import Directory
from node.net.admin_server import AdminService
from node.net.errors import Tally
from node.net.listener import Listener
from node.net.mesh_server import MeshService, mesh_listener
from node.net.office_server import OfficeService, office_listener
from node.net.peers import GrpcPeers
from node.net.tls import PinnedRoots, all_names
from node.net.tls_trial import tls_trial
from node.net.webhook_client import HookClient
from node.net.webhooks import HttpHooks
from node.node import Node
from node.ports import Clock, Ports
from node.process.health import Health, standing_queues
from node.process.keys import passphrase_of, take_in
from node.process.loops import Loops
from node.process.system import SystemClock, SystemEntropy, ThreadWorkers, machine
from node.process.systemd import ServiceManager
from node.process.trust_view import TrustView
from node.seal import next_tls
from node.seal.keyring import load_keys
from node.seal.tls import TlsIdentity
from node.store.bodies import FileBodies
from node.store.damage import Damage
from node.store.rocks.check import check_store
from node.store.rocks.store import RocksStore
from node.store.space import Space
from node.web.door import WebDoor
from node.web.vxp.build import vxp_door
from node.web.vxp.context import BridgeContext
from node.web.vxp.register import Registrar
from node.web.watch.build import watch_door

if TYPE_CHECKING:
    from node.config.settings import Settings

log = get_logger()

STOP_GRACE_S = 5.0


class RunningNode:
    """A node that runs: its parts in the order in which they were started, to be stopped in the reverse."""

    def __init__(
        self,
        ports: Ports,
        node: Node,
        loops: Loops,
        feed: DirectoryFeed,
        mesh: Listener,
        office: Listener,
        web: WebDoor | None,
        watch: WebDoor | None,
        close: Callable[[], "asyncio.Future[None]"],
    ) -> None:
        self.ports = ports
        self.node = node
        self.node_id = node.node_id
        self.loops = loops
        self._feed = feed
        self._mesh = mesh
        self._office = office
        self._web = web
        self._watch = watch
        self._close = close

    @property
    def mesh_address(self) -> str:
        """The address at which peers reach it, with the port that was really taken."""
        return _address(self._mesh)

    @property
    def office_address(self) -> str:
        """The address at which offices and the operator reach it, with the port that was really taken."""
        return _address(self._office)

    @property
    def web_address(self) -> str:
        """The URL at which software of the VXP kind reaches it; "" if the bridge is off."""
        return self._web.url if self._web else ""

    @property
    def watch_address(self) -> str:
        """The URL at which figures and health are read; "" if that is off."""
        return self._watch.url if self._watch else ""

    async def stop(self) -> None:
        """Take nothing new, finish what is being answered, make everything durable, let go of the files."""
        doors = [door.stop() for door in (self._web, self._watch) if door is not None]
        await asyncio.gather(self._mesh.stop(STOP_GRACE_S), self._office.stop(STOP_GRACE_S), *doors)
        await self._feed.stop()
        await self.loops.stop()
        await self._close()


async def start(
    home: Path, settings: "Settings", *, clock: Clock | None = None, make_node: type[Node] = Node
) -> RunningNode:
    """Build and start the node that lives in `home`. Raises Broken with what the operator must mend.

    The sandbox gives a `clock` of its own, and a Node that tells what it is handed. Parts that others check against the machine's clock
    (TLS, the directory's signatures) are always told the machine's time.
    """
    # Short turns between the loop and the threads: the loop must not wait 5 ms for a thread that computes.
    sys.setswitchinterval(0.0005)
    place, policy = Homestead(home), settings.policy()
    passphrase = passphrase_of(settings)
    keyring = load_keys(place.keys, settings.node_id, passphrase)
    trusted = TrustedFolder(place.directory, tls_trial())
    directory = trusted.load()
    await asyncio.to_thread(_try_certificates, directory)
    identity = next_tls.adopt(place.keys, directory.certificates_of(settings.node_id), passphrase)
    calendar = load_calendar(settings.calendar.file)
    machine_clock, workers, peers = SystemClock(), ThreadWorkers(), GrpcPeers(identity)
    clock = clock or machine_clock
    source = LiveDirectory(workers, directory)
    damage = Damage()
    store = RocksStore.open(place.store, place.witness, node_id=settings.node_id, damage=damage)
    try:
        bodies = FileBodies(home, damage=damage)
        space = Space(home, policy.admit_urgent_bytes_min // 2, policy.admit_large_bytes_min)
        ports = Ports(clock, SystemEntropy(), store, bodies, keyring, peers, workers, source, space.free_bytes)
        node = make_node(ports, policy, software=f"truc {__version__}", calendar=calendar)
        systems = Systems(place.systems_folder, place.admin_token, own_units=OwnUnits(source.current, settings.node_id))
        hooks = HttpHooks(HookFiles(place.systems_folder, keyring), systems, HookClient(f"truc {__version__}"))
        loops = Loops(node, hooks)
        node.signals.bug.connect(_log_bug)
        feed = DirectoryFeed(
            trusted, source, peers, machine_clock, settings.directory.folder, settings.directory.refresh_s
        )
        keyring.follow(lambda: source.current().nodes.get(settings.node_id), clock.now_ms)
        # First the keys: what the others then do may need them.
        source.subscribe(lambda directory: take_in(place, settings, keyring, directory))
        source.subscribe(lambda directory: loops.dispatcher.directory_changed())
        node.signals.newer_directory.connect(lambda news: feed.hear_of(*news))
        trust = TrustView(trusted, feed, tls_trial(), node.node_id)
        software = f"truc {__version__}"
        health = Health(
            store,
            source,
            machine_clock,
            identity,
            keyring,
            node.node_id,
            software,
            machine(home),
            node.agreed_time.doubt,
            damage,
            standing_queues(node),
            node.admission.step,
            node.scrub,
            node.risk,
            trust.findings,
        )
        tallies = {service: Tally() for service in ("mesh", "office", "admin", "vxp")}
        mesh, office = _listeners(settings, identity, node, source, trusted, systems, health, feed, tallies)
        web = _web_door(settings, place, node, systems, passphrase, tallies["vxp"])
        watch = watch_door(
            settings, home, node, store, peers.tally, tallies, identity, health.view, feed.refused, trust.unusable
        )

        async def close() -> None:
            await peers.close()
            await store.close()
            await bodies.close()
            workers.close()

        running = RunningNode(
            ports,
            node,
            loops,
            feed,
            mesh,
            office,
            web,
            watch,
            lambda: asyncio.ensure_future(close()),
        )
    except BaseException:
        await store.close()
        raise
    try:
        await _open_doors(running, mesh, office, [web, watch], feed, fenced=store.fence is not None)
    except BaseException:
        await running.stop()
        raise
    return running


def _listeners(
    settings: "Settings",
    identity: TlsIdentity,
    node: Node,
    source: LiveDirectory,
    trusted: TrustedFolder,
    systems: Systems,
    health: Health,
    feed: DirectoryFeed,
    tallies: dict[str, Tally],
) -> tuple[Listener, Listener]:
    policy = node.policy
    mesh = MeshService(node, source, trusted.missing_for, policy, tallies["mesh"])
    office = OfficeService(node, systems, policy, tallies["office"])
    admin = AdminService(node, systems, health.view, feed.refresh, tallies["admin"], listens_on=settings.office.listen)
    return (
        mesh_listener(settings.mesh.listen, identity, source, mesh),
        office_listener(settings.office.listen, identity, office, admin),
    )


def _web_door(
    settings: "Settings", place: Homestead, node: Node, systems: Systems, passphrase: bytes | None, tally: Tally
) -> WebDoor | None:
    vxp, ports = settings.vxp, node.ports
    if not vxp.listen:
        return None
    tls = TlsFiles(vxp.certificate, vxp.key, passphrase) if vxp.certificate and vxp.key else None
    secrets = VxpSecrets(place.systems_folder, ports.keys)
    registrar = Registrar(place.zone, systems, ports.clock.now_ms)
    context = BridgeContext(
        node, VxpInbox(ports), ports.directory.current, systems, secrets, registrar, ports.clock.now_ms
    )
    return vxp_door(vxp.listen, tls, context, tally=tally)


async def _open_doors(
    running: RunningNode,
    mesh: Listener,
    office: Listener,
    web: list[WebDoor | None],
    feed: DirectoryFeed,
    *,
    fenced: bool,
) -> None:
    await mesh.start()
    await office.start()
    for each in web:
        if each is not None:
            await each.start()
    feed.start()
    if not fenced:
        await running.loops.start()
    for door in (mesh, office):
        await door.set_serving(not fenced)
    # Objects that live as long as the process need not be looked at by every collection, nor must collections come so often. They
    # must not be too rare either: grpc.aio leaves a ring of four objects behind calls it serves, and with a threshold of 50,000 these
    # still grew after six minutes.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    log.info(
        "node.started",
        node=running.node_id,
        mesh=running.mesh_address,
        office=running.office_address,
        web=running.web_address,
        watch=running.watch_address,
    )


async def serve(home: Path, settings: "Settings", *, ready: Callable[[RunningNode], None] | None = None) -> None:
    """Run a node until the process is told to end (SIGTERM or SIGINT)."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    service_manager = ServiceManager.from_environment(os.environ, os.getpid())
    # Before the start, so that a node which is told to end while it starts ends as it should.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    running = await start(home, settings)
    if ready is not None:
        ready(running)
    service_manager.ready(
        f"Nút {running.node_id}: nút khác gọi {running.mesh_address}, phần mềm {running.office_address}."
    )
    await ended.wait()
    service_manager.stopping()
    log.info("node.stopping", node=running.node_id)
    await running.stop()


def check(home: Path, settings: "Settings") -> None:
    """Look whether this program could run that node, and change nothing: keys, calendar, directory, store.

    It does not disturb a node that runs. Raises Broken with what the operator must mend, e.g. STORE_NEWER.
    """
    place, passphrase = Homestead(home), passphrase_of(settings)
    load_keys(place.keys, settings.node_id, passphrase)
    load_calendar(settings.calendar.file)
    directory = TrustedFolder(place.directory).load()
    identity = next_tls.chosen(place.keys, directory.certificates_of(settings.node_id), passphrase)
    _try_certificates(directory)
    PinnedRoots(identity, lambda: directory).credentials()
    for peer in directory.nodes.values():
        all_names(peer.tls_certificates)
    check_store(place.store, settings.node_id)


def _try_certificates(directory: Directory) -> None:
    """Let gRPC's TLS try those of the directory in force, which an older program may have believed. Blocks.

    One that fails costs only its owner. If none can be tried, the profile alone decides; that is no reason not to start.
    """
    try:
        tls_trial().faults(directory.certificates)
    except Fault as fault:
        log.warning("certificates.untried", reason=fault.reason.name, detail=fault.detail)


def run(home: Path, settings: "Settings", *, ready: Callable[[RunningNode], None] | None = None) -> None:
    """Be the process of one node, on the event loop that gRPC's asyncio is quickest on (decision 0004)."""
    uvloop.run(serve(home, settings, ready=ready))


def _address(listener: Listener) -> str:
    host = listener.address.rsplit(":", 1)[0]
    return f"{host}:{listener.port}"


def _log_bug(error: Exception) -> None:
    reason = error.reason.name if isinstance(error, Fault) else type(error).__name__
    log.error("courier.failed", reason=reason, exc_info=error)
