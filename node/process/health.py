"""Health: healthy means that the node can sign as the directory expects, store, knows a directory and keeps time.

Everything else is a finding with advice. A node that is not healthy is not dead: one whose clock is contradicted goes on exchanging
documents, and whoever ended it for that would only harm.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from node.directory.trust.freshness import age_findings
from node.errors import ADVICE, Broken, Fault, HealthFinding
from node.flow.admission import Step
from node.flow.agreed_time import ALONE_FAR_MS, Doubt
from node.flow.bodies.scrub import Scrub
from node.flow.risk import Risk
from node.model.directory import Directory
from node.model.office import OPEN_ROADS, HealthView
from node.model.reason import Reason
from node.model.thresholds import CERTIFICATE_WARNING_MS, CLOCK_SKEW_MS_MAX, DISK_FREE_BYTES_MIN
from node.node import Node
from node.ports import Clock, DirectorySource, Store
from node.rows import keys
from node.seal.keyring import Keyring
from node.seal.tls import TlsIdentity, not_after_ms
from node.store.damage import Damage, Place
from node.store.embedded.fence import Fence

_NOT_OUR_KEYS = (
    "Khóa ký hoặc khóa mở trong thư mục keys không phải khóa mà danh bạ ghi cho nút: nút khác sẽ từ chối nút này."
    " Hãy khôi phục thư mục keys từ bản sao lưu, hoặc công bố lại bằng truc unit publish."
)
_NARROWED = {
    Step.SMALL: "Đĩa sắp đầy, mức 1: nút thôi nhận gói lớn mới. Hãy giải phóng dung lượng; nút tự nhận lại khi có chỗ.",
    Step.URGENT: "Đĩa sắp đầy, mức 2: nút chỉ nhận gói nhỏ khẩn và trạng thái. Hãy giải phóng dung lượng ngay.",
    Step.DRAIN: "Đĩa sắp đầy, mức 3: nút chỉ nhận trạng thái, biên nhận và làm nốt việc đã nhận. Hãy giải phóng dung lượng ngay.",
}
"""How far the node has closed itself, for people; see flow/admission.py."""
_CAREFUL = (
    "Nút đã chết đột ngột {} lần liền ngay sau khi chạy: đang ghi lại từng việc trước khi làm, việc nào làm nút chết thì bị tách riêng"
    " (truc outbox HOME --quarantine). Hãy xem nhật ký hệ thống (dmesg, journalctl) có báo hết bộ nhớ không."
)
_NAMED_MAX = 5
_DAMAGED = {
    Place.TABLE: "Một phần bảng dữ liệu không đọc được",
    Place.BLOB: "Có thân văn bản nhỏ không đọc được",
    Place.BODY_FILE: "Có tệp thân văn bản lớn bị mất hoặc không đọc được",
}
"""Damage, in words for people. Everything else goes on, so none of it is grave; doctor says that somebody must act."""


_UNMENDED = {
    Reason.NONE: "chưa thử lấy lại",
    Reason.QUEUED: "đang lấy lại",
    Reason.NOT_FOUND: "không nút nào hỏi được còn giữ",
    Reason.REQUEST_INVALID: "nút giữ bản tốt chạy phiên bản cũ, chưa biết gửi lại",
    Reason.BODY_DIGEST_DIFFERS: "bản mà nút khác gửi về cũng sai",
    Reason.PEER_UNREACHABLE: "chưa gọi được nút giữ bản tốt",
    Reason.PEER_TLS_FAILED: "chưa gọi được nút giữ bản tốt",
    Reason.PEER_BUSY: "nút giữ bản tốt đang bận hoặc gửi quá chậm",
    Reason.DISK_FULL: "đĩa đầy, chưa có chỗ",
    Reason.STORE_CORRUPT: "bản ghi của gói tin cũng hỏng",
}
_UNMENDED_OTHERWISE = "chưa lấy lại được"
"""Words for why a damaged body was not fetched again yet (flow/send/mending.py), for people."""


class FencedStore(Store, Protocol):
    """A store that says whether it may write, and how far it has come."""

    @property
    def fence(self) -> Fence | None:
        """The cause for which it only reads, or None."""
        ...

    @property
    def commit_no(self) -> int:
        """The number of its newest durable commit."""
        ...


class Health:
    """Looks at a running node."""

    def __init__(
        self,
        store: FencedStore,
        directory: DirectorySource,
        clock: Clock,
        identity: TlsIdentity,
        keyring: Keyring,
        node_id: str,
        software: str,
        machine: Callable[[], tuple[int, int]],
        clock_doubt: Callable[[], Doubt | None],
        damage: Damage,
        standing_queues: Callable[[], Awaitable[Mapping[str, int]]],
        admission_step: Callable[[], Step],
        scrub: Scrub,
        risk: Risk,
        trust: Callable[[Directory], list[HealthFinding]] = lambda directory: [],
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._identity = identity
        self._keyring = keyring
        self._node_id = node_id
        self._software = software
        self._machine = machine
        self._clock_doubt = clock_doubt
        self._damage = damage
        self._standing_queues = standing_queues
        self._admission_step = admission_step
        self._scrub = scrub
        self._risk = risk
        self._trust = trust
        self._start_time_ms = clock.now_ms()
        self._first_commit_no = store.commit_no

    async def view(self) -> HealthView:
        """Return how the node is, the worst finding first."""
        directory, now_ms = self._directory.current(), self._clock.now_ms()
        resident_bytes, disk_free_bytes = self._machine()
        findings = [*await self._store_findings(), *self._identity_findings(now_ms), *self._clock_findings()]
        findings += [*self._damage_findings(), *await self._scrub_findings(), *await self._queue_findings()]
        if self._node_id not in directory.nodes:
            findings.append(HealthFinding(Reason.DIRECTORY_EMPTY, ADVICE[Reason.DIRECTORY_EMPTY], grave=True))
        else:
            findings += age_findings(directory, now_ms)
        findings += self._trust(directory)
        if self._risk.is_careful:
            findings.append(HealthFinding(Reason.FAILED_INSIDE, _CAREFUL.format(self._risk.deaths), grave=False))
        if not self._keyring.is_named:
            findings.append(HealthFinding(Reason.KEY_UNUSABLE, _NOT_OUR_KEYS, grave=True))
        step = self._admission_step()
        if step is not Step.OPEN:
            findings.append(HealthFinding(Reason.DISK_FULL, _NARROWED[step], grave=False))
        elif disk_free_bytes < DISK_FREE_BYTES_MIN:
            findings.append(HealthFinding(Reason.DISK_FULL, ADVICE[Reason.DISK_FULL], grave=False))
        findings.sort(key=lambda finding: not finding.grave)
        return HealthView(
            healthy=not any(finding.grave for finding in findings),
            findings=tuple(findings),
            node_id=self._node_id,
            software=self._software,
            start_time_ms=self._start_time_ms,
            directory_version=directory.version,
            directory_time_ms=directory.signed_time_ms,
            units=directory.unit_count(),
            resident_bytes=resident_bytes,
            disk_free_bytes=disk_free_bytes,
            commits=self._store.commit_no - self._first_commit_no,
        )

    def _clock_findings(self) -> list[HealthFinding]:
        """Return that our clock is in doubt: grave if others contradict it, else a matter of time."""
        doubt = self._clock_doubt()
        if doubt is None:
            return []
        advice, ahead_ms = ADVICE[Reason.CLOCK_UNSURE], doubt.ahead_ms
        than = "các nút khác"
        if not ahead_ms and abs(doubt.ahead_of_agreed_ms) > CLOCK_SKEW_MS_MAX:
            # Nobody is heard, by whose clock ours could be seen to err; or none of the certificates is good by ours.
            ahead_ms, than = doubt.ahead_of_agreed_ms, "giờ đã thống nhất trước đó"
        if not ahead_ms:
            return [HealthFinding(Reason.CLOCK_UNSURE, advice, grave=False)]
        way = "nhanh" if ahead_ms > 0 else "chậm"
        said = f"{advice} (đang {way} {abs(ahead_ms) // 1000} giây so với {than})"
        # A node that was switched off for days is ahead of what was agreed then, and nothing is wrong.
        grave = bool(doubt.ahead_ms) or ahead_ms < 0 or ahead_ms > ALONE_FAR_MS
        return [HealthFinding(Reason.CLOCK_UNSURE, said, grave=grave)]

    async def _queue_findings(self) -> list[HealthFinding]:
        """Return the queues that do not move although their road is open. Raises nothing: that the store fails is told beside."""
        try:
            standing = await self._standing_queues()
        except Fault:
            return []
        if not standing:
            return []
        worst = max(standing, key=lambda node_id: standing[node_id])
        said = (
            f"Hàng chờ tới {len(standing)} nút đứng yên dù đường thông; lâu nhất là tới {worst}, {standing[worst] // 60_000} phút. "
            "Hãy xem truc outbox HOME và nhật ký, khởi động lại nút; nếu còn, gửi truc support-bundle."
        )
        return [HealthFinding(Reason.QUEUED, said, grave=False)]

    def _damage_findings(self) -> list[HealthFinding]:
        return [
            HealthFinding(
                Reason.STORE_CORRUPT,
                f"{said} (gặp {self._damage.counts[place]} lần từ khi nút chạy; mới nhất: {self._damage.latest[place]}). Phần còn lại "
                "vẫn chạy. Hãy kiểm tra đĩa (dmesg, smartctl), giữ nguyên mọi tệp; văn bản nào hỏng thì xin gửi lại.",
                grave=False,
            )
            for place, said in _DAMAGED.items()
            if self._damage.counts[place]
        ]

    async def _scrub_findings(self) -> list[HealthFinding]:
        """Return the documents whose bodies are damaged and why they are not fetched again, and how many were. Raises nothing, as above."""
        damaged, mended = self._scrub.counts.damaged, self._scrub.counts.mended
        mended_said = f"Đã tự lấy lại {mended} nội dung hỏng từ nút khác từ khi nút chạy. " if mended else ""
        if not damaged and not mended:
            return []
        if not damaged:
            said = f"{mended_said}Không nội dung nào còn hỏng. Hãy kiểm tra đĩa (dmesg, smartctl)."
            return [HealthFinding(Reason.STORE_CORRUPT, said, grave=False)]
        try:
            found = await self._scrub.damaged(_NAMED_MAX)
        except Fault:
            return []
        named = "; ".join(
            f"{', '.join(packet_id.hex() for packet_id in one.packet_ids[:_NAMED_MAX])}: "
            f"{_UNMENDED.get(one.reason, _UNMENDED_OTHERWISE)} ({one.attempts} lần)"
            for one in found
        )
        said = (
            f"Đọc lại thấy {damaged} nội dung bị hỏng. {mended_said}Chưa lấy lại được, gói tin {named}. Phần còn lại vẫn chạy, nút tự "
            "thử tiếp. Hãy kiểm tra đĩa, giữ nguyên mọi tệp; gói nào không nơi nào còn giữ thì xin nơi gửi gửi lại."
        )
        return [HealthFinding(Reason.STORE_CORRUPT, said, grave=False)]

    async def _store_findings(self) -> list[HealthFinding]:
        fence = self._store.fence
        if fence is not None:
            return [HealthFinding(fence.reason, f"{ADVICE[fence.reason]} ({fence.detail})", grave=True)]
        try:
            now = self._clock.now_ms().to_bytes(8, "big")
            await self._store.transact(lambda tx: tx.put(keys.meta("health"), now))
            with suppress(Broken):  # counted as damage, and told so
                await self._store.transact(lambda tx: tx.scan(keys.PACKETS, limit=1))
        except Fault as fault:
            return [HealthFinding(fault.reason, fault.advice, grave=True)]
        return []

    def _identity_findings(self, now_ms: int) -> list[HealthFinding]:
        left_ms = not_after_ms(self._identity.certificate_der) - now_ms
        if left_ms <= 0:
            return [HealthFinding(Reason.CERTIFICATE_EXPIRED, ADVICE[Reason.CERTIFICATE_EXPIRED], grave=True)]
        if left_ms < CERTIFICATE_WARNING_MS:
            days = left_ms // 86_400_000
            text = (
                f"Chứng thư TLS của nút còn {days} ngày. Hãy chạy truc node certificate và công bố danh bạ trước hạn."
            )
            return [HealthFinding(Reason.CERTIFICATE_EXPIRED, text, grave=False)]
        return []


def standing_queues(node: Node) -> Callable[[], Awaitable[Mapping[str, int]]]:
    """Return a function that tells which queues stand still although their road is open, and for how long, milliseconds."""

    async def look() -> Mapping[str, int]:
        roads = await node.list_peers(counting=False)
        return node.standstill.standing_ms(one.node_id for one in roads if one.road in OPEN_ROADS)

    return look
