"""Publishing: the sandbox's authority takes what its nodes change in their zones, so that registerAgency reaches everybody by itself.

On a real node an operator publishes the zone (`truc unit publish`); here nobody should have to. Signatures run by the machine's time, as
their checks do: they do not follow the sandbox's clock.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from node.config.home import Homestead
from node.directory.authority.authority import Authority
from node.directory.zone.zone import ZoneEditor
from node.errors import Fault
from node.log import get_logger
from node.net.tls_trial import tls_trial

LOOK_EVERY_S = 0.5
RENEW_EVERY_S = 12 * 3600.0
AUTHORITY = "danh-ba"
"""Name of the authority's folder beside the nodes'."""

log = get_logger()


class Publisher:
    """Looks at the zones of the nodes, and publishes what has changed in them; the directory as a whole twice a day."""

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self._authority = folder / AUTHORITY
        self._zones = [Homestead(folder / name).zone for name in nodes]
        self._seen = {zone: _marks(zone) for zone in self._zones}
        self._renewed_s = float("-inf")

    async def run(self) -> None:
        """Publish for ever. It ends by cancellation."""
        while True:
            try:
                await asyncio.to_thread(self.turn)
            except Fault as fault:
                log.warning("directory.refused", reason=fault.reason.name, detail=fault.detail)
            await asyncio.sleep(LOOK_EVERY_S)

    def turn(self) -> bool:
        """Publish if there is anything new; return whether. Raises what the authority raises."""
        changed = [zone for zone in self._zones if _marks(zone) != self._seen[zone]]
        is_old = time.monotonic() - self._renewed_s > RENEW_EVERY_S
        if not changed and not is_old:
            return False
        authority, now_ms = Authority.open(self._authority, tls_trial()), time.time_ns() // 1_000_000
        for zone in changed:
            authority.take(ZoneEditor.open(zone).update(now_ms), now_ms)
            self._seen[zone] = _marks(zone)  # after taking: a zone that was refused is tried again at the next look
        authority.publish(now_ms)
        self._renewed_s = time.monotonic()
        return True


def _marks(zone: Path) -> dict[str, int]:
    """Return when each file of the zone's units was written. Signing writes other files, or each update would call for the next."""
    return {path.name: path.stat().st_mtime_ns for path in (zone / "units").glob("*")}
