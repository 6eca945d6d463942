"""Build the watch, behind a door of its own."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from node import __version__
from node.config.home import Homestead
from node.model.directory import Directory
from node.model.office import HealthView
from node.model.reason import Reason
from node.net.errors import Tally
from node.net.peers import PeerTally
from node.node import Node
from node.seal.files import read_public
from node.seal.tls import TlsIdentity, certificate_der, not_after_ms
from node.store.disk_usage import Scales
from node.store.rocks.store import RocksStore
from node.web.application import application
from node.web.door import WebDoor
from node.web.protocol import Malformed
from node.web.watch.look import Looker, Watched
from node.web.watch.pages import NOT_FOUND, Pages

if TYPE_CHECKING:
    from node.config.settings import Settings


def watch_door(
    settings: "Settings",
    home: Path,
    node: Node,
    store: RocksStore,
    peers: PeerTally,
    services: Mapping[str, Tally],
    identity: TlsIdentity,
    health: Callable[[], Awaitable[HealthView]],
    refused: Mapping[Reason, int],
    unusable: Callable[[Directory], int],
) -> WebDoor | None:
    """Return the door, to be started; None if the settings name no place to listen.

    It speaks HTTP without TLS, see Watch in config/settings.py.

    Raises Broken(KEY_FILE_MISSING or KEY_UNUSABLE) for a certificate of the bridge that cannot be read.
    """
    if not settings.watch.listen:
        return None
    # Not before somebody wants it: the library takes time to load and memory to keep.
    from node.web.watch.metrics import Metrics

    watched = Watched(
        node=node,
        store=store,
        peers=peers,
        services=services,
        certificates=_certificate_ends(settings, identity),
        home=home,
        scales=Scales(Homestead(home).store, home),
        first_commit_no=store.commit_no,
        version=__version__,
        refused=refused,
        unusable=unusable,
    )
    pages = Pages(Looker(watched), Metrics(watched), health)
    malformed = Malformed(NOT_FOUND, lambda caller: None)
    return WebDoor(settings.watch.listen, application({"": pages}, NOT_FOUND), None, malformed)


def _certificate_ends(settings: "Settings", identity: TlsIdentity) -> dict[str, int]:
    """Return when the certificates that this process shows expire, by use, milliseconds since 1970 UTC."""
    ends = {"mesh": not_after_ms(identity.certificate_der)}
    if settings.vxp.listen and settings.vxp.certificate:
        ends["vxp"] = not_after_ms(certificate_der(read_public(settings.vxp.certificate)))
    return ends
