"""Figures that a node shows: name, kind, labels, and what each means. metrics.py fills them in.

Names follow Prometheus' conventions: base units, `_total` for what only rises, `_timestamp_seconds` for moments (seconds since 1970 UTC).
Labels: `peer` is a node of the directory, `lane` an urgency class, `reason` a name of reason.proto; none has more values the more is sent.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kind of a figure: how it behaves over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. A counter's name gets `_total`, a histogram's `_bucket`, `_sum` and `_count` where it is shown."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _counter(text: str, *labels: str) -> Figure:
    return Figure(Kind.COUNTER, text, labels)


def _gauge(text: str, *labels: str) -> Figure:
    return Figure(Kind.GAUGE, text, labels)


def _histogram(text: str) -> Figure:
    return Figure(Kind.HISTOGRAM, text)


FIGURES: dict[str, Figure] = {
    "truc_build_info": _gauge("Version of the node's program; always 1.", "version", "python", "node_id"),
    # Traffic (node/flow/counters.py)
    "truc_packets_submitted": _counter(
        "Packets taken for delivery, durably; by: a connected system, or the node itself (arrivals).", "kind", "by"
    ),
    "truc_submissions_repeated": _counter("Submissions that were repeats and got their first answer again."),
    "truc_submissions_refused": _counter("Submissions that were not taken.", "reason"),
    "truc_packets_received": _counter("Packets of peers that were new here, by the receipt given.", "kind", "receipt"),
    "truc_packets_received_again": _counter("Packets of peers that got their first receipt again."),
    "truc_packets_erased": _counter("Packets of which nothing is known any more, because nobody needed it."),
    "truc_sweep_put_aside": _counter("Due things that failed by a mistake or damage and were put off by a day."),
    "truc_packets_not_received": _counter("Packets of peers that got no receipt; they come again.", "reason"),
    "truc_recipients_served": _counter(
        "Units of this node in receipts that it gave: ACCEPTED (it is in the inbox), or refused for good by reason.",
        "outcome",
    ),
    "truc_deliveries_ended": _counter(
        "Deliveries of this node's units that ended: DELIVERED, or failed for good by reason.", "outcome"
    ),
    "truc_receipts_verified": _counter("Receipts of peers that were believed.", "level"),
    "truc_receipts_refused": _counter("Receipts of peers that did not hold.", "reason"),
    "truc_items_unfit": _counter(
        "Things in the outbox that could not go for a reason of our own (unreadable, no key), each when that began.",
        "reason",
    ),
    "truc_quarantine_rows": _gauge("Rows that cannot be handled and were laid aside until an operator releases them."),
    "truc_quarantine_laid_aside": _counter("Rows that were laid aside."),
    "truc_uploads_in_flight": _gauge("Large bodies that flow just now: from_office, from_peer, to_peer.", "way"),
    # The outbox (node/flow/views/queue_counts.py)
    "truc_outbox_waiting": _gauge("Things that wait to leave: packets, carried packets and receipts.", "peer", "lane"),
    "truc_outbox_oldest_age_seconds": _gauge("Age of the oldest of them.", "peer", "lane"),
    "truc_outbox_count_age_seconds": _gauge("Age of that count: above 0 only for a queue too long for one scrape."),
    "truc_outbox_standstill_seconds": _gauge(
        "How long the same thing is next to leave while the road is open; 0 as long as that is not too long.", "peer"
    ),
    # The roads
    "truc_peer_reachable": _gauge(
        "1: the road is open, directly or through a relay; 0: failing, held or unknown.", "peer"
    ),
    "truc_peer_held": _gauge("1: an operator holds back what goes there.", "peer"),
    "truc_peer_failures": _gauge("Failures in a row.", "peer"),
    "truc_peer_last_success_timestamp_seconds": _gauge("When we last reached it; noted once a minute.", "peer"),
    "truc_peer_last_contact_timestamp_seconds": _gauge("When it last called us, since our start.", "peer"),
    "truc_peer_clock_difference_seconds": _gauge("Its clock minus ours at the last Hello.", "peer"),
    "truc_peer_calls": _counter(
        "Calls to peers: OK or a reason. Method push carries packets.", "peer", "method", "outcome"
    ),
    # Calls to us (net's tallies)
    "truc_calls": _counter(
        "Calls to this node: OK, a reason, FAILED (our own mistake) or CANCELLED.", "service", "method", "outcome"
    ),
    # The store
    "truc_store_writable": _gauge("1: the store takes writes."),
    "truc_store_fenced": _gauge("1: the store only reads until an operator decides."),
    "truc_damaged_reads": _counter(
        "Reads that met damage: in a table or blob file of the database, or in the file of a large body.", "place"
    ),
    "truc_store_commits": _counter("Commits that became durable."),
    "truc_store_commit_wait_seconds": _histogram("How long transactions waited until they were durable."),
    "truc_store_flush_seconds": _histogram("How long flushes of the log took, each for all who waited."),
    "truc_store_bytes": _gauge("Size of the database's files."),
    "truc_bodies_bytes": _gauge("Size of large bodies; of very many, gathered over several scrapes."),
    "truc_bodies_files": _gauge("Number of large bodies."),
    "truc_bodies_damaged": _gauge("Bodies that were read again and are not what they were."),
    "truc_bodies_scrubbed": _counter("Bodies that were read again and compared with their digests."),
    "truc_bodies_mended": _counter("Damaged bodies that were fetched again, whole, from other nodes."),
    "truc_spool_bytes": _gauge("Size of large bodies under way."),
    "truc_disk_size_bytes": _gauge("Size of the file system under the home."),
    "truc_disk_free_bytes": _gauge("What is free on it for the node."),
    "truc_disk_free_inodes": _gauge("Inodes that are free on it."),
    "truc_admission_step": _gauge(
        "What is still taken as the disk fills: 0 everything, 1 nothing large, 2 small urgent things, 3 statuses and receipts."
    ),
    "truc_uploads_promised_bytes": _gauge("What uploads under way may still bring."),
    # Trust
    "truc_directory_version": _gauge("Version of the directory; 0: none."),
    "truc_clock_in_doubt": _gauge(
        "1 while our clock disagrees with others', or has just jumped: nothing expires then."
    ),
    "truc_directory_age_seconds": _gauge("How long ago it was signed."),
    "truc_directory_nodes": _gauge("Nodes in it."),
    "truc_directory_units": _gauge("Units in it."),
    "truc_directory_refused": _counter(
        "Editions of a folder or a peer that were refused; tried again later.", "reason"
    ),
    "truc_directory_certificates_unusable": _gauge(
        "Certificates in it that cannot be used and are left out; each costs its owner alone."
    ),
    "truc_certificate_expiry_timestamp_seconds": _gauge("When a certificate expires: mesh or vxp.", "use"),
    # This watch
    "truc_watch_missing": _gauge("Groups of figures that could not be read in time for this scrape."),
}
