"""Figures of the demo: for the last lines that people read, and for `--json`."""

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """Counts of what happened. A packet is a document or a status; it is delivered when every one of its recipients has it."""

    packets_sent: int = 0
    packets_delivered: int = 0
    packets_relayed: int = 0
    statuses_returned: int = 0
    receipts_verified: int = 0
    bytes_identical: bool = True
    seconds: float = 0.0
    documents_sent: int = 0
    copies_compared: int = 0
    deliveries: int = 0
    bridged: int = 0
    """Packets that one commune's software sent and got through the VXP bridge."""
