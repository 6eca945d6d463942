"""The zone, signed for the authority: a node's units, keys and addresses, under the prefixes that it was granted."""

from node.directory.trust.trust import TrustedFolder
from node.ops.home import Home


def sign_zone(place: Home, now_ms: int) -> tuple[bytes, int, int]:
    """Sign the zone, under the prefixes that the directory grants now; return (zone update, its version, units)."""
    directory = TrustedFolder(place.directory).load()
    with place.editing_zone() as zone:
        granted = directory.prefixes_of(zone.node_id)
        if zone.node_id in directory.nodes and granted != zone.prefixes:
            zone.set_prefixes(granted)
        return zone.update(now_ms), zone.version, len(zone.units())
