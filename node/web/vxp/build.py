"""Putting the bridge together: its application, its brake, its lists, behind one door."""

from node.model.reason import Reason
from node.net.errors import Tally
from node.net.tls_files import TlsFiles
from node.web.application import application
from node.web.brake import Brake
from node.web.door import WebDoor
from node.web.protocol import Malformed
from node.web.vxp.agencies import AgencyLists
from node.web.vxp.bridge import NO_SUCH_OPERATION, NOT_UNDERSTOOD, Bridge
from node.web.vxp.house import House

PATH = "/vxp"
"""What an endpoint ends with: https://machine:port/vxp."""


def vxp_door(
    address: str, tls: TlsFiles | None, house: House, *, brake: Brake | None = None, tally: Tally | None = None
) -> WebDoor:
    """Return the door of the bridge; `start` it."""
    brake = brake or Brake()
    bridge = Bridge(house, AgencyLists(house.directory, house.now_ms), brake, tally)
    malformed = Malformed(NOT_UNDERSTOOD, lambda caller: brake.note(caller, Reason.REQUEST_INVALID.name))
    return WebDoor(address, application({PATH: bridge}, NO_SUCH_OPERATION), tls, malformed)
