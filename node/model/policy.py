"""Policy: limits and times a node works with, every bound in one place, with its unit. Settings fill it in (node/config/settings.py)."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
KEEP_CARRIED_MS = DAY_MS
"""A relay remembers a packet this long after it has sent the target's receipt home, and until that has arrived."""
TRIMMINGS_BYTES = KIB
"""Stand for envelope, signature and key, which travel with every body."""
ALONE_EVERY = 4
"""Every fourth push to a peer may be one that was put off several times and travels alone."""
URGENT_PASSED_PICKS = 4
"""Something small and urgent is passed by at most so many picks of other lanes; it follows from the weights in node/flow/send/turns.py."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Defaults are meant to be right for a province; only sizes and ages are usually changed."""

    packet_bytes_max: int = 600 * MIB
    """Larger packets are refused before they are read."""
    recipients_max: int = 10_000
    inline_body_bytes_max: int = 64 * KIB
    """Bodies up to this live in the store, larger ones are files."""
    push_body_bytes_max: int = 1 * MIB + 64 * KIB
    """Bodies up to this travel in a Push, larger ones by Offer, PutBody and Commit, in the bulk lanes."""
    push_items_max: int = 64
    push_bytes_max: int = 3 * MIB
    push_window: int = 4
    """Pushes in flight to one peer."""
    chunk_bytes: int = 256 * KIB
    submit_group_max: int = 128
    """Submissions that share one signature and one commit."""
    arrive_at_once: int = 128
    """Units of this node at which a packet arrives in one transaction; at more of them it arrives in slices of so many."""
    expire_after_ms: int = 30 * DAY_MS
    ask_after_expiry_ms: int = 7 * DAY_MS
    """So long after a packet's time is over its recipient's node is asked whether it has it. Later answers count all the same."""
    ask_again_ms: int = 10 * MINUTE_MS
    """The pause between two such questions."""
    keep_body_after_ms: int = 30 * DAY_MS
    """A body is kept this long after its last delivery has ended and its last inbox has let it go."""
    keep_records_ms: int = 5 * 366 * DAY_MS
    """Records of a packet (track, statuses, receipts, dossiers) are kept at least this long after the last act about its document."""
    keep_memory_ms: int = 30 * DAY_MS
    """A packet is remembered at least this long after its expiry, whatever else is set, so that a late repeat finds its first answer."""
    lease_ms: int = 5 * MINUTE_MS
    lease_ms_max: int = DAY_MS
    back_off_first_ms: int = 1_000
    back_off_max_ms: int = 30_000
    """The longest pause between attempts in the first hour; then five times, after a day fifteen times as long.

    Each is spread up to one and a half of it: so after a cut of less than an hour the first attempt comes within 45 s of the healing.
    """
    relay_after_ms: int = 30_000
    """The direct road must have failed for this long before a relay is asked."""
    custody_retry_ms: int = 10 * MINUTE_MS
    """A packet in a relay's custody is tried again after this, until the recipient's own receipt is in."""
    item_retry_ms: int = 30_000
    """A single item that a healthy peer put off is tried again after this, then after twice as long, and so on, if it named no time."""
    item_retry_max_ms: int = 10 * MINUTE_MS
    """The longest pause between attempts of such an item: some 150 a day."""
    ask_first_bytes: int = 16 * KIB
    """A larger body is not sent a second time before the peer was asked whether it wants it."""
    hello_every_ms: int = MINUTE_MS
    sweep_every_ms: int = MINUTE_MS
    urgent_within_ms: int = 60 * MINUTE_MS
    """Our reading of "ngay" (at once) for an urgent document that has arrived, at any hour of any day: NĐ 30/2020 Điều 23 has no figure."""
    admit_large_bytes_min: int = 1024 * MIB
    """With less free on the disk no new large bodies are taken; see flow/admission.py."""
    admit_all_bytes_min: int = 512 * MIB
    """With less only small urgent packets and statuses."""
    admit_urgent_bytes_min: int = 256 * MIB
    """With less only statuses and receipts, and what was taken before is finished."""
    scrub_every_ms: int = 30 * DAY_MS
    """All bodies are read again and compared with their digests once in this time."""
    scrub_bytes_per_s: int = 8 * MIB
    relay_for_others: bool = False
    """Take custody of packets between other nodes (needs the relay role in the directory, too)."""
    wait_for_document_ms: int = 3 * DAY_MS
    """An update or withdrawal that has overtaken its document waits for it this long, then it goes into the inbox alone."""
    arrival: bool = True
    """Report status 01 (đã đến) when a document reaches an inbox (NĐ 30/2020 Điều 21.2.c)."""
    arrival_by_software: frozenset[str] = frozenset()
    """Units (canonical codes) whose own software reports 01."""

    @property
    def urgent_waits_pushes(self) -> int:
        """Something small and urgent waits for at most so many pushes to its peer without any of its lane, if all go by one road.

        Those that may be chosen already when it comes; those that the picks before its own fill at most (two for each push, as two of the
        largest bodies fit; one if a push holds one item); and those that travel alone between them.
        """
        picks = min(self.push_items_max, self.push_bytes_max // (self.push_body_bytes_max + TRIMMINGS_BYTES))
        filled = -(-URGENT_PASSED_PICKS // max(1, picks))
        return self.push_window + filled + filled // (ALONE_EVERY - 1) + 1

    def reports_arrival(self, unit: str) -> bool:
        """Tell whether the node reports 01 in this unit's name."""
        return self.arrival and unit not in self.arrival_by_software
