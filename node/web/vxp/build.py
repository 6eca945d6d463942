"""Build the bridge: its application, its throttle, its lists, behind one door."""

from node.access.tls_files import TlsFiles
from node.model.reason import Reason
from node.net.errors import Tally
from node.web.application import application
from node.web.door import WebDoor
from node.web.protocol import Malformed
from node.web.throttle import Brake
from node.web.vxp.agencies import AgencyLists
from node.web.vxp.bridge import NO_SUCH_OPERATION, NOT_UNDERSTOOD, Bridge
from node.web.vxp.context import BridgeContext

PATH = "/vxp"
"""Every endpoint ends with it: https://machine:port/vxp."""


def vxp_door(
    address: str,
    tls: TlsFiles | None,
    context: BridgeContext,
    *,
    brake: Brake | None = None,
    tally: Tally | None = None,
) -> WebDoor:
    """Return the door of the bridge; `start` it."""
    brake = brake or Brake()
    bridge = Bridge(context, AgencyLists(context.directory, context.now_ms), brake, tally)
    malformed = Malformed(NOT_UNDERSTOOD, lambda caller: brake.note(caller, Reason.REQUEST_INVALID.name))
    return WebDoor(address, application({PATH: bridge}, NO_SUCH_OPERATION), tls, malformed)
