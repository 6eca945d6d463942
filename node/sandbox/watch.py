"""Watch on what the vendor's software hands in and what becomes of it at the door, for the vendor's eyes and for conformance runs.

A packet that a rule stops never travels, so nobody but the node it was handed to knows that it was ever made. The sandbox's nodes keep
the newest of such answers in memory; never the packets.
"""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from node.errors import Fault
from node.model.finding import Finding, RulesBroken, Severity
from node.model.office import Submission, SubmitResult, System
from node.model.reason import Reason
from node.node import Node

KEPT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A packet that was not taken; `findings` are the errors that the rules found."""

    time_ms: int
    system: str
    units: tuple[str, ...]
    reason: Reason
    detail: str
    findings: tuple[Finding, ...] = ()


class WatchedNode(Node):
    """A node that remembers what it has refused."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.refused: deque[Refused] = deque(maxlen=KEPT_MAX)
        """The newest KEPT_MAX refusals, the oldest of them first."""

    async def submit(
        self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]
    ) -> SubmitResult:
        """Take a packet as any node does; remember it if it is refused."""
        try:
            result = await super().submit(system, submission, packet)
        except Fault as fault:
            self._note(system, fault)
            raise
        if result.reason is not Reason.NONE:
            self._note(system, Fault(result.reason, result.detail))
        return result

    def _note(self, system: System, fault: Fault) -> None:
        findings = fault.findings if isinstance(fault, RulesBroken) else ()
        errors = tuple(one for one in findings if one.severity is Severity.ERROR)
        told = Refused(
            self.ports.clock.now_ms(), system.name, tuple(sorted(system.units)), fault.reason, fault.detail, errors
        )
        self.refused.append(told)
