"""Office: what offices and operators ask of a node and see, in words. Field names are those of the office and admin service protos."""

from dataclasses import dataclass, field

from node.errors import HealthFinding
from node.model.deadline import Deadline
from node.model.delivery import State
from node.model.directory import Alias
from node.model.envelope import PacketKind
from node.model.finding import Finding
from node.model.lane import Lane
from node.model.life import LifeState
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent

NO_LEASE = -1
"""A lease time that asks to read without leasing, even if somebody else has leased the packet."""


@dataclass(frozen=True, slots=True)
class System:
    """A connected system (QLVB&ĐH) that has proved who it is. It acts for `units` (canonical codes) and no others."""

    name: str
    units: frozenset[str]


@dataclass(frozen=True, slots=True)
class Submission:
    """The request that comes with a packet. `packet_bytes` 0: unknown; `expire_at_ms` 0: the node's default.

    Only the node sets `answers_packet_id`, for a 15 that it owes: it knows which request that answers.
    """

    submission_id: str
    packet_bytes: int = 0
    all_or_nothing: bool = False
    expire_at_ms: int = 0
    answers_packet_id: bytes = b""


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """A recipient that cannot be served; `code` as written in the packet."""

    code: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The outcome of a submission. With a reason: nothing was stored."""

    submission_id: str
    packet_id: bytes = b""
    reason: Reason = Reason.NONE
    detail: str = ""
    refused: tuple[RefusedRecipient, ...] = ()
    packet_sha256: bytes = b""
    recipients_served: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One packet that waits for a unit; see office_service.proto."""

    packet_id: bytes
    unit: str
    sender_unit: str
    kind: PacketKind
    lane: Lane
    accept_time_ms: int
    packet_bytes: int
    packet_sha256: bytes
    document_id: str
    document_code: str
    subject: str
    status_code: str
    lease_until_ms: int
    fetch_count: int
    sender_name: str
    business_type: int
    promulgation_date: str = ""
    due_date: str = ""
    deadlines: tuple[Deadline, ...] = ()
    signed_receipt: SignedReceipt | None = None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One recipient of a packet as Track shows it; see office_service.proto."""

    unit: str
    node_id: str
    state: State
    reason: Reason
    next_attempt_ms: int
    end_time_ms: int
    custody_node: str
    status_code: str
    statuses: tuple[StatusEvent, ...]
    signed_receipt: SignedReceipt | None
    attempts: int
    unit_name: str
    relay_node: str
    life: LifeState = LifeState.UNKNOWN
    life_packet_id: bytes = b""
    deadlines: tuple[Deadline, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackView:
    """A packet and its deliveries as its sender sees them, or a page of these: `next_page_token` tells where they go on ("": the end)."""

    packet_id: bytes
    submission_id: str
    document_id: str
    document_code: str
    subject: str
    sender_unit: str
    create_time_ms: int
    expire_at_ms: int
    deliveries: tuple[DeliveryView, ...]
    promulgation_date: str = ""
    due_date: str = ""
    deadlines: tuple[Deadline, ...] = ()
    findings: tuple[Finding, ...] = ()
    business_type: int = 0
    document_type_name: str = ""
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit found by code or name. `aliases`: other codes that reach it at some time, in order of code."""

    code: str
    old_code: str
    name: str
    node_id: str
    aliases: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboxView:
    """One thing that waits for one peer; `kind` is packet, relay or receipt."""

    node_id: str
    packet_id: bytes
    lane: Lane
    kind: str
    since_ms: int
    reason: Reason
    next_attempt_ms: int
    attempts: int
    custody_node: str
    body_bytes: int


OPEN_ROADS = ("open", "relayed")
"""Roads on which things leave."""


@dataclass(frozen=True, slots=True)
class QuarantineView:
    """A row that cannot be handled and was laid aside. `name` releases it; node and packet are empty if it is no row of the outbox."""

    name: str
    table: str
    node_id: str
    packet_id: bytes
    reason: Reason
    detail: str
    time_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PeerView:
    """The road to one peer; `road` is open, backoff, relayed, held or unknown."""

    node_id: str
    name: str
    mesh_address: str
    road: str
    reason: Reason
    failures: int
    next_attempt_ms: int
    last_success_ms: int
    relay_node: str
    waiting: int
    prefixes: tuple[str, ...] = field(default_factory=tuple)
    clock_skew_ms: int = 0
    directory_version: int = 0
    last_contact_ms: int = 0
    software: str = ""


@dataclass(frozen=True, slots=True)
class HealthView:
    """The health of a node; see GetHealthResponse. Findings the worst first, times in milliseconds since 1970 UTC."""

    healthy: bool
    findings: tuple[HealthFinding, ...]
    node_id: str
    software: str
    start_time_ms: int
    directory_version: int
    directory_time_ms: int
    units: int
    resident_bytes: int
    disk_free_bytes: int
    commits: int
