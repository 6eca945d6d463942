"""Health: healthy means that the node can sign, store, and knows a directory. Everything else is a finding with advice."""

from collections.abc import Callable
from typing import Protocol

from node.directory.trust.freshness import age_findings
from node.errors import ADVICE, Fault, Finding
from node.flow.agreed_time import Doubt
from node.model.office import HealthView
from node.model.reason import Reason
from node.model.thresholds import CERTIFICATE_WARNING_MS, DISK_FREE_BYTES_MIN
from node.ports import Clock, DirectorySource, Store
from node.rows import keys
from node.seal.tls import TlsIdentity, not_after_ms
from node.store.damage import Damage, Place
from node.store.embedded.fence import Fence

_DAMAGED = {
    Place.TABLE: "Một phần bảng dữ liệu không đọc được",
    Place.BLOB: "Có thân văn bản nhỏ không đọc được",
    Place.BODY_FILE: "Có tệp thân văn bản lớn bị mất hoặc không đọc được",
}
"""What was damaged, for people. Everything else goes on, so none of it is grave; doctor says that somebody must act."""


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
        node_id: str,
        software: str,
        machine: Callable[[], tuple[int, int]],
        clock_doubt: Callable[[], Doubt | None],
        damage: Damage,
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._identity = identity
        self._node_id = node_id
        self._software = software
        self._machine = machine
        self._clock_doubt = clock_doubt
        self._damage = damage
        self._start_time_ms = clock.now_ms()
        self._first_commit_no = store.commit_no

    async def view(self) -> HealthView:
        """Return how the node is, the worst finding first."""
        directory, now_ms = self._directory.current(), self._clock.now_ms()
        resident_bytes, disk_free_bytes = self._machine()
        findings = [*await self._store_findings(), *self._identity_findings(now_ms), *self._clock_findings()]
        findings += self._damage_findings()
        if self._node_id not in directory.nodes:
            findings.append(Finding(Reason.DIRECTORY_EMPTY, ADVICE[Reason.DIRECTORY_EMPTY], grave=True))
        else:
            findings += age_findings(directory, now_ms)
        if disk_free_bytes < DISK_FREE_BYTES_MIN:
            findings.append(Finding(Reason.DISK_FULL, ADVICE[Reason.DISK_FULL], grave=False))
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

    def _clock_findings(self) -> list[Finding]:
        """Return that our clock is in doubt: grave if others contradict it, else a matter of time."""
        doubt = self._clock_doubt()
        if doubt is None:
            return []
        if not doubt.ahead_ms:
            return [Finding(Reason.CLOCK_UNSURE, ADVICE[Reason.CLOCK_UNSURE], grave=False)]
        way = "nhanh" if doubt.ahead_ms > 0 else "chậm"
        text = f"{ADVICE[Reason.CLOCK_UNSURE]} (đang {way} {abs(doubt.ahead_ms) // 1000} giây so với các nút khác)"
        return [Finding(Reason.CLOCK_UNSURE, text, grave=True)]

    def _damage_findings(self) -> list[Finding]:
        return [
            Finding(
                Reason.STORE_CORRUPT,
                f"{said} (gặp {self._damage.counts[place]} lần từ khi nút chạy; mới nhất: {self._damage.latest[place]}). Phần còn lại "
                "vẫn chạy. Hãy kiểm tra đĩa (dmesg, smartctl), giữ nguyên mọi tệp; văn bản nào hỏng thì xin gửi lại.",
                grave=False,
            )
            for place, said in _DAMAGED.items()
            if self._damage.counts[place]
        ]

    async def _store_findings(self) -> list[Finding]:
        fence = self._store.fence
        if fence is not None:
            return [Finding(fence.reason, f"{ADVICE[fence.reason]} ({fence.detail})", grave=True)]
        try:
            now = self._clock.now_ms().to_bytes(8, "big")
            await self._store.transact(lambda tx: tx.put(keys.meta("health"), now))
        except Fault as fault:
            return [Finding(fault.reason, fault.advice, grave=True)]
        return []

    def _identity_findings(self, now_ms: int) -> list[Finding]:
        left_ms = not_after_ms(self._identity.certificate_der) - now_ms
        if left_ms <= 0:
            return [Finding(Reason.CERTIFICATE_EXPIRED, ADVICE[Reason.CERTIFICATE_EXPIRED], grave=True)]
        if left_ms < CERTIFICATE_WARNING_MS:
            days = left_ms // 86_400_000
            text = (
                f"Chứng thư TLS của nút còn {days} ngày. Hãy chạy truc node certificate và công bố danh bạ trước hạn."
            )
            return [Finding(Reason.CERTIFICATE_EXPIRED, text, grave=False)]
        return []
