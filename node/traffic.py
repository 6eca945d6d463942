"""Traffic: what has gone through this node since it started, as plain counters.

Each counter rises in one place, after the commit that makes true what it counts, so it never tells of something that was not
durable. They cost an addition each, are touched on the loop only, and nobody between the ports knows who reads them (web/watch/).
Keys are enumerations and never codes or ids: the number of counters does not grow with what is sent.
"""

from collections import Counter
from collections.abc import Iterable

from node.model.envelope import PacketKind
from node.model.reason import Reason
from node.model.receipt import Level, Receipt


class Traffic:
    """The counters of one node. Only `uploads` goes down again."""

    def __init__(self) -> None:
        self.submitted: Counter[tuple[PacketKind, bool]] = Counter()
        """Packets taken for delivery, by kind and whether the node wrote them itself (arrivals, owed statuses). No repeats."""
        self.repeated = 0
        """Submissions that were repeats and got their first answer again."""
        self.refused: Counter[Reason] = Counter()
        """Submissions that were not taken."""
        self.received: Counter[tuple[PacketKind, Level]] = Counter()
        """Packets of peers that were new here, by kind and what we signed for: DELIVERED (judged for our units) or CUSTODY."""
        self.received_again = 0
        """Packets of peers that had been decided about and got their first receipt again."""
        self.not_received: Counter[Reason] = Counter()
        """Packets of peers that got no receipt: they come again."""
        self.units_served: Counter[Reason] = Counter()
        """Our own units named in receipts that we signed: NONE is in the inbox, anything else refused for good."""
        self.ended: Counter[Reason] = Counter()
        """Deliveries of our own units' packets that ended: NONE delivered, anything else failed for good."""
        self.receipts_verified: Counter[Level] = Counter()
        """Receipts of peers that were believed."""
        self.receipts_refused: Counter[Reason] = Counter()
        """Receipts of peers that did not hold."""
        self.uploads: Counter[str] = Counter()
        """Bodies that flow in just now: from "office" or "peer"."""

    def has_received(self, kind: PacketKind, receipt: Receipt) -> None:
        """Count a new packet of a peer and the receipt that it was given."""
        self.received[kind, receipt.level] += 1
        if receipt.level is Level.DELIVERED:
            for outcome in receipt.outcomes:
                self.units_served[outcome.reason] += 1

    def have_ended(self, reasons: Iterable[Reason]) -> None:
        """Count deliveries that ended."""
        for reason in reasons:
            self.ended[reason] += 1
