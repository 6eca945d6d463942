"""Check-up of what needs sockets: whether the node runs, whether its ports are free if not, the roads to its peers, what waits.

A running node is asked itself; for one that stands still we only try whether its ports are free and its peers can be dialled.
"""

import asyncio
import os
import socket
from collections.abc import Iterator

from node.errors import ADVICE, Fault
from node.model.directory import NodeEntry
from node.model.office import HealthView, OutboxView, PeerView, QuarantineView
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.thresholds import CLOCK_SKEW_MS_MAX
from node.ops.doctor.check import Check, fine, from_fault, warning, wrong
from node.ops.doctor.doors import check_hooks
from node.ops.doctor.patient import Patient
from node.ops.doctor.peers import check_peers
from node.ops.doctor.ports import answers, check_listening, doors_of, holder
from node.ops.home import Home, office_address
from node.wording import vietnamese

ASK_S = 5.0
DIALLED_AT_ONCE = 32
OUTBOX_LOOKED_AT = 1_000
NAMED_MAX = 5


def check_mesh(patient: Patient) -> list[Check]:
    """Look at the network side; nothing if the settings could not be read."""
    if patient.settings is None:
        return []
    return asyncio.run(_check(patient))


async def _check(patient: Patient) -> list[Check]:
    assert patient.settings is not None
    try:
        office = office_address(patient.settings)
    except Fault as fault:
        return [from_fault("port", fault)]
    if await answers(office):
        return await _running(patient)
    return [*_stopped(patient), *await _dial_peers(patient)]


async def _running(patient: Patient) -> list[Check]:
    """Ask the node itself."""
    try:
        async with asyncio.timeout(ASK_S), patient.place.admin() as admin:
            health, peers = await admin.health(), await admin.list_peers()
            waiting, more = await admin.list_outbox("", OUTBOX_LOOKED_AT)
            hooks = await admin.list_hooks()
            aside, _ = await admin.list_quarantine(OUTBOX_LOOKED_AT)
    except TimeoutError:
        return [_silent(patient)]
    except Fault as fault:
        return [_not_ours(patient, fault)]
    assert patient.settings is not None
    now_ms = patient.now_ms
    return [
        *check_health(health, now_ms),
        *await check_listening(patient.settings),
        *_roads(peers, now_ms),
        *check_peers(patient.settings, health, peers, now_ms),
        _waiting(waiting, more, now_ms),
        *_laid_aside(aside),
        *check_hooks(hooks, now_ms),
    ]


def _silent(patient: Patient) -> Check:
    """Something holds the port and says nothing: our own node, if a process holds the store."""
    assert patient.settings is not None
    if _is_locked(patient.place):
        said = f"nút không trả lời trong {ASK_S:.0f} giây"
        return wrong("running", said, "Hãy xem nhật ký của nút; nếu treo, hãy khởi động lại.")
    return wrong("port", _held_by_another(patient.settings.office.listen), ADVICE[Reason.PORT_IN_USE])


def _held_by_another(address: str) -> str:
    return f"{address} do chương trình khác giữ{holder(address)}"


def _not_ours(patient: Patient, fault: Fault) -> Check:
    assert patient.settings is not None
    if fault.reason in (Reason.PEER_TLS_FAILED, Reason.PEER_UNREACHABLE):
        return wrong("port", _held_by_another(patient.settings.office.listen), ADVICE[Reason.PORT_IN_USE])
    return from_fault("running", fault)


def check_health(health: HealthView, now_ms: int) -> Iterator[Check]:
    """Repeat what the running node finds wrong with itself, each under what it is about."""
    age, memory = vietnamese.span(now_ms - health.start_time_ms), vietnamese.size(health.resident_bytes)
    yield fine(
        "running", f"đang chạy {age}, {health.software}, bộ nhớ {memory}, {vietnamese.count(health.commits)} lần ghi"
    )
    for finding in health.findings:
        name = _ABOUT.get(finding.reason, "running")
        must_act = finding.grave or finding.reason in _MUST_ACT
        yield (wrong if must_act else warning)(name, vietnamese.cause(finding.reason) or "nút báo", finding.advice)


_MUST_ACT = (Reason.STORE_CORRUPT, Reason.IO_FAILED, Reason.QUEUED)
"""Findings that do not keep the node from working, and will not pass by themselves."""

_ABOUT = {
    Reason.STORE_ROLLED_BACK: "store",
    Reason.STORE_CORRUPT: "store",
    Reason.STORE_STALLED: "store",
    Reason.STORE_NEWER: "store",
    Reason.IO_FAILED: "disk",
    Reason.QUEUED: "outbox",
    Reason.DISK_READ_ONLY: "disk",
    Reason.DISK_FULL: "disk",
    Reason.CLOCK_UNSURE: "clock",
    Reason.CERTIFICATE_EXPIRED: "tls",
    Reason.DIRECTORY_EMPTY: "directory",
    Reason.DIRECTORY_INVALID: "directory",
}


def _roads(peers: list[PeerView], now_ms: int) -> Iterator[Check]:
    failing = [peer for peer in peers if peer.road == "backoff"]
    for peer in failing[:NAMED_MAX]:
        since = (
            f", thông lần cuối {vietnamese.when(peer.last_success_ms)}"
            if peer.last_success_ms
            else ", chưa thông lần nào"
        )
        said = f"{peer.node_id} ({peer.mesh_address or 'không có địa chỉ'}): {vietnamese.cause(peer.reason)}{since}"
        advice = f"{vietnamese.next_attempt(peer.next_attempt_ms, now_ms).capitalize()}. Nếu kéo dài, hãy kiểm tra mạng tới nút đó."
        yield warning("peers", said, advice)
    for peer in peers:
        if peer.road == "held":
            yield warning(
                "peers",
                f"{peer.node_id} đang bị tạm giữ, {peer.waiting} lượt chờ",
                f"Gửi tiếp: truc peer release HOME {peer.node_id}",
            )
        if abs(peer.clock_skew_ms) > CLOCK_SKEW_MS_MAX:
            said = f"đồng hồ lệch {vietnamese.span(abs(peer.clock_skew_ms))} so với {peer.node_id}"
            yield warning("clock", said, "Hãy bật đồng bộ giờ ở máy này, hoặc báo quản trị nút kia.")
    roads = ", ".join(
        f"{sum(peer.road == road for peer in peers)} {vietnamese.ROADS[road]}"
        for road in vietnamese.ROADS
        if _any(peers, road)
    )
    if len(failing) <= NAMED_MAX:
        yield fine("peers", roads or "danh bạ chưa có nút nào khác")
    else:
        yield warning("peers", roads, "Xem tất cả: truc peer list HOME")


def _any(peers: list[PeerView], road: str) -> bool:
    return any(peer.road == road for peer in peers)


def _waiting(waiting: list[OutboxView], more: bool, now_ms: int) -> Check:
    if not waiting:
        return fine("outbox", "không có gì chờ gửi")
    oldest = min(waiting, key=lambda one: one.since_ms)
    age_ms = now_ms - oldest.since_ms
    counted, why = f"{len(waiting)}{'+' if more else ''}", vietnamese.cause(oldest.reason)
    said = f"{counted} lượt chờ, lâu nhất {vietnamese.span(age_ms)} (tới {oldest.node_id}: {why})"
    if age_ms > DAY_MS:
        return warning("outbox", said, "Hãy xem: truc outbox HOME")
    return fine("outbox", said)


def _laid_aside(aside: list[QuarantineView]) -> Iterator[Check]:
    if aside:
        first = min(aside, key=lambda one: one.time_ms)
        said = f"{len(aside)} mục bị giữ lại vì lỗi, từ {vietnamese.when(first.time_ms)}"
        yield wrong(
            "quarantine",
            said,
            "Xem: truc outbox HOME --quarantine. Gửi truc support-bundle HOME cho nơi hỗ trợ; sửa xong thì thả bằng --release ID.",
        )


def _stopped(patient: Patient) -> Iterator[Check]:
    """The node stands still: could it start?"""
    settings, place = patient.settings, patient.place
    assert settings is not None
    locked = _is_locked(place)
    if locked:
        yield wrong(
            "running", "có tiến trình đang giữ kho dữ liệu nhưng cổng không trả lời", ADVICE[Reason.HOME_IN_USE]
        )
    else:
        yield warning("running", "nút đang dừng", f"Chạy nút: truc serve {place.path}")
    doors = doors_of(settings)
    taken = [address for address in doors.values() if not _is_free(address)]
    for address in taken:
        yield wrong(
            "port",
            f"{address} có chương trình khác dùng{holder(address)}, hoặc không phải địa chỉ của máy này",
            ADVICE[Reason.PORT_IN_USE],
        )
    if not taken:
        yield fine("port", f"{', '.join(doors.values())} còn trống")
    if not locked:  # a process that holds it may be writing
        yield _store(place)


def _is_free(address: str) -> bool:
    """Tell whether we could listen there now."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, target = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
    except OSError:
        return False
    return True


def _is_locked(place: Home) -> bool:
    """Tell whether a process holds the store, as far as we may see: what cannot be looked at is left alone."""
    try:
        return place.is_held()
    except OSError:
        return True


def _store(place: Home) -> Check:
    """Database and witness belong together (node/store/embedded/fence.py), and this program can open what is there."""
    begun, witnessed = (place.store / "CURRENT").exists(), place.witness.exists()
    if begun and not witnessed:
        return wrong("store", "thiếu tệp nhân chứng WITNESS bên cạnh kho dữ liệu", ADVICE[Reason.STORE_ROLLED_BACK])
    if witnessed and not begun and _commit_seen(place):
        return wrong("store", "có nhân chứng nhưng kho dữ liệu đã mất", ADVICE[Reason.STORE_ROLLED_BACK])
    if not begun:
        return fine("store", "còn mới, chưa chạy lần nào")
    if not os.access(place.store, os.W_OK | os.X_OK):
        return wrong(
            "store", f"{place.store} không ghi được", "Hãy chạy bằng tài khoản của nút, hoặc sửa quyền của thư mục."
        )
    return _opened(place)


def _opened(place: Home) -> Check:
    """Open the store of a node that stands still, for reading only, and hold it against its witness."""
    from node.store.embedded.fence import judge
    from node.store.rocks.check import look_at_store

    try:
        identity, witnessed = look_at_store(place.store), _witnessed(place)
    except Fault as fault:
        return from_fault("store", fault)
    fence = judge(identity, witnessed)
    if fence is not None:
        return wrong("store", fence.detail, ADVICE[fence.reason])
    commits = vietnamese.count(identity.commit_no) if identity else "0"
    return fine("store", f"kho dữ liệu mở được, khớp với nhân chứng, tới giao dịch {commits}")


def _commit_seen(place: Home) -> bool:
    """Tell whether the witness remembers any commit; one at 0 stands beside a first start that was cut short."""
    witnessed = _witnessed(place)
    return witnessed is None or witnessed[1] > 0


def _witnessed(place: Home) -> tuple[bytes, int] | None:
    from node.store.rocks.witness import Witness

    return Witness.read(place.witness)


async def _dial_peers(patient: Patient) -> list[Check]:
    """Try every peer that we may dial; only whether the port opens, nothing is said."""
    assert patient.settings is not None
    own_id = patient.settings.node_id
    peers = [peer for peer in patient.directory.nodes.values() if _may_dial(peer, own_id)]
    if not peers:
        return []
    gate = asyncio.Semaphore(DIALLED_AT_ONCE)

    async def dial(peer: NodeEntry) -> bool:
        async with gate:
            return await answers(peer.mesh_address)

    reached = await asyncio.gather(*map(dial, peers))
    silent = [
        f"{peer.node_id} ({peer.mesh_address})" for peer, answered in zip(peers, reached, strict=True) if not answered
    ]
    said = f"gọi được {sum(reached)}/{len(peers)} nút"
    if not silent:
        return [fine("peers", said)]
    named = ", ".join(silent[:NAMED_MAX]) + ("…" if len(silent) > NAMED_MAX else "")
    return [
        warning("peers", f"{said}; không gọi được {named}", "Nếu các nút đó đang chạy, hãy kiểm tra mạng và tường lửa.")
    ]


def _may_dial(peer: NodeEntry, own_id: str) -> bool:
    return peer.node_id != own_id and bool(peer.mesh_address) and (not peer.via_relays or own_id in peer.via_relays)
