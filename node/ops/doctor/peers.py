"""Check-up of peers as a running node has seen them: do they find us, which programs do they run, do our clocks agree?

Our reaching them is told beside the roads (mesh.py). Their reaching us is seen by their calls: every peer that may dial us says
Hello about once a minute. A peer that reaches us only through a relay does not call, and none does if we advertise no address.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.model.office import HealthView, PeerView
from node.model.thresholds import PEER_SILENT_AFTER_MS
from node.ops.doctor.check import Check, fine, warning
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.config.settings import Settings

NAMED_MAX = 5
MINOR_VERSIONS_APART_MAX = 2
"""N and N-2 understand each other."""
_VERSION = re.compile(r"truc (\d+)\.(\d+)")


def check_peers(settings: "Settings", health: HealthView, peers: list[PeerView], now_ms: int) -> Iterator[Check]:
    """Look at what peers have shown of themselves since the node started."""
    yield from _inbound(settings, health, peers, now_ms)
    yield from _versions(health, peers)
    greeted = [peer for peer in peers if peer.software]
    if greeted:
        widest = max(abs(peer.clock_skew_ms) for peer in greeted)
        yield fine("clock", f"lệch nhiều nhất {vietnamese.seconds(widest / 1000)} so với {len(greeted)} nút bạn")


def _inbound(settings: "Settings", health: HealthView, peers: list[PeerView], now_ms: int) -> Iterator[Check]:
    advertise = settings.mesh.advertise
    if not advertise:
        yield fine("inbound", "mesh.advertise để trống: không nút nào gọi thẳng tới nút này")
        return
    reached = [peer for peer in peers if peer.road == "open"]
    calling = [
        peer for peer in reached if peer.last_contact_ms and now_ms - peer.last_contact_ms < PEER_SILENT_AFTER_MS
    ]
    silent = [peer for peer in reached if peer not in calling]
    if silent and now_ms - health.start_time_ms > PEER_SILENT_AFTER_MS:
        named = ", ".join(f"{peer.node_id} ({_last(peer)})" for peer in silent[:NAMED_MAX])
        more = f" và {len(silent) - NAMED_MAX} nút nữa" if len(silent) > NAMED_MAX else ""
        advice = f"Ta gọi được họ, họ không gọi được ta: hãy kiểm tra tường lửa và địa chỉ {advertise} từ phía họ."
        yield warning("inbound", f"không gọi vào: {named}{more}", advice)
    elif reached:
        yield fine("inbound", f"{len(calling)}/{len(reached)} nút mà ta gọi được cũng gọi được ta")


def _last(peer: PeerView) -> str:
    return (
        f"lần cuối {vietnamese.when(peer.last_contact_ms)}" if peer.last_contact_ms else "chưa lần nào từ khi nút chạy"
    )


def _versions(health: HealthView, peers: list[PeerView]) -> Iterator[Check]:
    known = Counter(peer.software for peer in peers if peer.software)
    if not known:
        return
    said = f"nút này {health.software}; nút bạn: " + ", ".join(
        f"{count} {name}" for name, count in sorted(known.items())
    )
    far = sorted(peer.node_id for peer in peers if _apart(health.software, peer.software))
    if far:
        named = ", ".join(far[:NAMED_MAX])
        yield warning(
            "versions",
            f"{said}. Khác quá xa: {named}",
            "Hãy nâng cấp bên cũ hơn; cách nhau tới hai bản thì vẫn hiểu nhau.",
        )
    else:
        yield fine("versions", said)


def _apart(own: str, other: str) -> bool:
    mine, theirs = _VERSION.match(own), _VERSION.match(other)
    if mine is None or theirs is None:
        return False
    return mine[1] != theirs[1] or abs(int(mine[2]) - int(theirs[2])) > MINOR_VERSIONS_APART_MAX
