"""The zone, signed for the authority: a node's units, keys and addresses, under the prefixes that it was granted."""

from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import ZoneEditor
from node.model.directory import Directory
from node.ops.home import Home


def take_over(zone: ZoneEditor, directory: Directory) -> None:
    """Give a zone the prefixes and opaque codes that the directory grants its node; nothing changes before it is admitted."""
    if zone.node_id not in directory.nodes:
        return
    if (granted := directory.prefixes_of(zone.node_id)) != zone.prefixes:
        zone.set_prefixes(granted)
    if (leaves := directory.leaves_of(zone.node_id)) != zone.leaves:
        zone.set_leaves(leaves)


def sign_zone(place: Home, now_ms: int) -> tuple[bytes, int, int]:
    """Sign the zone, under the prefixes that the directory grants now; return (zone update, its version, units)."""
    directory = TrustedFolder(place.directory).load()
    with place.editing_zone() as zone:
        take_over(zone, directory)
        return zone.update(now_ms), zone.version, len(zone.units())
