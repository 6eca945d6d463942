"""Context of the bridge: the node's verbs, its VXP inbox, its directory, and its systems with their secrets."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from node.access.systems import Systems
from node.access.vxp_secrets import VxpSecrets
from node.flow.inbox.vxp_inbox import VxpInbox
from node.model.directory import Directory
from node.model.office import InboxEntry, Submission, SubmitResult, System, TrackView
from node.web.vxp.register import Registrar


class BridgeNode(Protocol):
    """The node's verbs that the bridge calls."""

    async def submit(
        self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]
    ) -> SubmitResult: ...
    async def fetch(
        self, system: System, packet_id: bytes, unit: str, offset_bytes: int = 0, lease_ms: int = 0
    ) -> tuple[InboxEntry, AsyncIterator[bytes]]: ...
    async def track(
        self, system: System, packet_id: bytes = b"", *, page_size: int = 0, page_token: str = ""
    ) -> TrackView: ...


@dataclass(frozen=True, slots=True)
class BridgeContext:
    """All that the bridge asks of the node."""

    node: BridgeNode
    vxp_inbox: VxpInbox
    directory: Callable[[], Directory]
    systems: Systems
    secrets: VxpSecrets
    registrar: Registrar
    now_ms: Callable[[], int]
