"""Counters: what has gone through this node since it started.

Each counter rises in one place, after the commit that makes true what it counts, so it never tells of something that was not
durable. Counting costs an addition and happens on the loop only; the rooms that count do not know who reads it (web/watch/).
Keys are enumerations and never codes or ids: the number of counters does not grow with what is sent.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from node.model.envelope import PacketKind
from node.model.mesh import Answer, PushItem, PushPacket
from node.model.reason import Reason
from node.model.receipt import Level, Receipt, SignedReceipt


class Counters:
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
        self.unfit: Counter[Reason] = Counter()
        """Things in the outbox that could not go for a reason of our own (unreadable, no key), each counted when that began."""
        self.erased = 0
        """Packets of which nothing is known any more, because nobody needed it."""
        self.put_aside = 0
        """Due rows that could not be done, by a mistake of ours or a damaged row, and were put off by a day."""
        self.laid_aside = 0
        """Rows that came to the quarantine."""
        self.uploads: Counter[str] = Counter()
        """Bodies that flow in just now: from "office" or "peer"."""

    def decided(self, kind: PacketKind, receipt: Receipt, signed: SignedReceipt, answer: Answer) -> None:
        """Count a packet of a peer that was decided about, with the receipt that was signed for it now."""
        # A packet that was decided about before has its first receipt, which is another than the one signed now.
        if answer.receipt is signed or answer.receipt == signed:
            self._received_one(kind, receipt)
        elif answer.receipt is not None:
            self.received_again += 1

    def _received_one(self, kind: PacketKind, receipt: Receipt) -> None:
        self.received[kind, receipt.level] += 1
        if receipt.level is Level.DELIVERED:
            for outcome in receipt.outcomes:
                self.units_served[outcome.reason] += 1

    def answered(self, items: Sequence[PushItem], answers: list[Answer]) -> list[Answer]:
        """Count what a push brought by its answers, and return these."""
        for item, answer in zip(items, answers, strict=True):
            if isinstance(item, PushPacket):
                self.refusing(answer)
            elif answer.reason is Reason.NONE:
                self.receipts_verified[Level.DELIVERED] += 1
            else:
                self.receipts_refused[answer.reason] += 1
        return answers

    def refusing(self, answer: Answer) -> Answer:
        """Count a packet if it gets no receipt, and return its answer."""
        if answer.receipt is None:
            self.not_received[answer.reason] += 1
        return answer

    @contextmanager
    def uploading(self, who: str) -> Iterator[None]:
        """Within: a body flows in."""
        self.uploads[who] += 1
        try:
            yield
        finally:
            self.uploads[who] -= 1

    def have_ended(self, reasons: Sequence[Reason]) -> None:
        """Count deliveries that ended."""
        for reason in reasons:
            self.ended[reason] += 1
