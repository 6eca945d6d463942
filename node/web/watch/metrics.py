"""Metrics: what was seen and counted, as Prometheus' text. The only file that knows prometheus_client.

A registry of our own holds the figures, so that nothing which a library registers by itself is shown, and the usual `process_…`
figures of the process itself.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from node.flow.views.queue_counts import Place
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.office import OPEN_ROADS, PeerView
from node.model.reason import Reason
from node.model.receipt import Level
from node.store.timing import Histogram
from node.web.watch.figures import FIGURES, Kind
from node.web.watch.look import Sight, Watched

Rows = Iterable[tuple[tuple[str, ...], float]]
Filled = Iterator[tuple[str, Rows | Histogram]]
"""Names of figures with their rows: values of the labels, and the number."""

KINDS = {kind: kind.name.lower() for kind in PacketKind}
LEVELS = {level: level.name.lower() for level in Level}
LANES = {lane: lane.name.lower() for lane in Lane}
WRITERS = {False: "system", True: "node"}


class Metrics:
    """Makes the text that a scrape gets. A sight belongs to one scrape; counters are read as they are."""

    def __init__(self, watched: Watched) -> None:
        self._collector = _NodeCollector(watched)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)

    def text(self, sight: Sight, accept: str) -> tuple[bytes, str]:
        """Return the text for a caller that accepts these media types, and its media type."""
        encode, media_type = choose_encoder(accept)
        self._collector.sight = sight
        return encode(self._registry), media_type


class _NodeCollector(Collector):
    def __init__(self, watched: Watched) -> None:
        self.sight: Sight | None = None
        self._watched = watched
        self._places: set[Place] = set()
        """Places at which something has waited: they are shown with 0 afterwards instead of vanishing."""

    def describe(self) -> list[Metric]:
        """Return nothing: the figures shown depend on what is seen."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield everything."""
        assert self.sight is not None
        for name, rows in self._filled(self._watched, self.sight):
            yield _family(name, rows)

    def _filled(self, watched: Watched, sight: Sight) -> Filled:
        yield "truc_build_info", [((watched.version, platform.python_version(), watched.node.node_id), 1)]
        yield from _traffic(watched)
        yield from self._outbox(sight)
        if sight.laid_aside is not None:
            yield "truc_quarantine_rows", _one(sight.laid_aside)
        yield from _peers(watched, sight.roads or [])
        yield from _calls(watched)
        yield from _store(watched)
        yield from _disk(sight)
        scrubbed = watched.node.scrub.counts
        yield "truc_bodies_damaged", _one(scrubbed.damaged)
        yield "truc_bodies_scrubbed", _one(scrubbed.bodies)
        yield "truc_bodies_mended", _one(scrubbed.mended)
        yield "truc_admission_step", _one(watched.node.admission.step())
        yield "truc_uploads_promised_bytes", _one(watched.node.admission.promised_bytes)
        yield from _directory(watched, sight)
        yield "truc_watch_missing", _one(sum(one is None for one in (sight.weights, sight.waiting, sight.roads)))

    def _outbox(self, sight: Sight) -> Filled:
        counted = sight.waiting
        if counted is None:
            return
        self._places = {place for place in self._places if place[0] in sight.directory.nodes} | counted.places.keys()
        shown = {place: counted.places.get(place) for place in sorted(self._places)}
        yield "truc_outbox_waiting", [(_labels(place), one.count if one else 0) for place, one in shown.items()]
        ages = {place: _age_s(sight.now_ms, one.oldest_ms) if one else 0.0 for place, one in shown.items()}
        yield "truc_outbox_oldest_age_seconds", [(_labels(place), age_s) for place, age_s in ages.items()]
        if counted.time_ms:
            yield "truc_outbox_count_age_seconds", _one(_age_s(sight.now_ms, counted.time_ms))


def _traffic(watched: Watched) -> Filled:
    counters = watched.node.counters
    yield (
        "truc_packets_submitted",
        [((KINDS[kind], WRITERS[by]), counters.submitted[kind, by]) for kind in PacketKind for by in WRITERS],
    )
    yield "truc_submissions_repeated", _one(counters.repeated)
    yield "truc_submissions_refused", _by_reason(counters.refused)
    given = (Level.CUSTODY, Level.DELIVERED)
    yield (
        "truc_packets_received",
        [((KINDS[kind], LEVELS[level]), counters.received[kind, level]) for kind in PacketKind for level in given],
    )
    yield "truc_packets_received_again", _one(counters.received_again)
    yield "truc_packets_erased", _one(counters.erased)
    yield "truc_sweep_put_aside", _one(counters.put_aside)
    yield "truc_packets_not_received", _by_reason(counters.not_received)
    yield "truc_recipients_served", _by_outcome("ACCEPTED", counters.units_served)
    yield "truc_deliveries_ended", _by_outcome("DELIVERED", counters.ended)
    yield "truc_receipts_verified", [((name,), counters.receipts_verified[level]) for level, name in LEVELS.items()]
    yield "truc_receipts_refused", _by_reason(counters.receipts_refused)
    yield "truc_quarantine_laid_aside", _one(counters.laid_aside)
    yield "truc_items_unfit", _by_reason(counters.unfit)
    flowing = {
        "from_office": counters.uploads["office"],
        "from_peer": counters.uploads["peer"],
        "to_peer": watched.peers.uploads,
    }
    yield "truc_uploads_in_flight", [((way,), count) for way, count in flowing.items()]


def _peers(watched: Watched, roads: list[PeerView]) -> Filled:
    def those(value: Mapping[str, float]) -> Rows:
        return [((peer,), number) for peer, number in value.items()]

    yield "truc_peer_reachable", those({one.node_id: one.road in OPEN_ROADS for one in roads})
    standing = watched.node.standstill.standing_ms(one.node_id for one in roads if one.road in OPEN_ROADS)
    yield "truc_outbox_standstill_seconds", those({one.node_id: standing.get(one.node_id, 0) / 1000 for one in roads})
    yield "truc_peer_held", those({one.node_id: one.road == "held" for one in roads})
    yield "truc_peer_failures", those({one.node_id: one.failures for one in roads})
    moments = {
        "truc_peer_last_success_timestamp_seconds": {one.node_id: one.last_success_ms for one in roads},
        "truc_peer_last_contact_timestamp_seconds": {one.node_id: one.last_contact_ms for one in roads},
    }
    for name, times_ms in moments.items():
        yield name, those({peer: at_ms / 1000 for peer, at_ms in times_ms.items() if at_ms})
    greeted = [one for one in roads if one.software or one.clock_skew_ms]
    yield "truc_peer_clock_difference_seconds", those({one.node_id: one.clock_skew_ms / 1000 for one in greeted})
    yield "truc_peer_calls", watched.peers.calls.items()


def _calls(watched: Watched) -> Filled:
    tallies = watched.services.items()
    yield "truc_calls", [((service, *call), count) for service, tally in tallies for call, count in tally.calls.items()]


def _store(watched: Watched) -> Filled:
    store, trouble = watched.store, watched.store.trouble
    yield "truc_store_writable", _one(trouble is None)
    yield "truc_store_fenced", _one(trouble is Reason.NODE_FENCED)
    yield "truc_damaged_reads", [((place.value,), count) for place, count in store.damage.counts.items()]
    yield "truc_store_commits", _one(store.commit_no - watched.first_commit_no)
    yield "truc_store_commit_wait_seconds", store.waits
    yield "truc_store_flush_seconds", store.flushes


def _disk(sight: Sight) -> Filled:
    yield "truc_disk_size_bytes", _one(sight.disk.size_bytes)
    yield "truc_disk_free_bytes", _one(sight.disk.free_bytes)
    yield "truc_disk_free_inodes", _one(sight.disk.free_inodes)
    weights = sight.weights
    if weights is None:
        return
    yield "truc_store_bytes", _one(weights.store_bytes)
    yield "truc_spool_bytes", _one(weights.spool_bytes)
    if weights.bodies_files is not None:
        yield "truc_bodies_bytes", _one(weights.bodies_bytes)
        yield "truc_bodies_files", _one(weights.bodies_files)


def _directory(watched: Watched, sight: Sight) -> Filled:
    yield "truc_clock_in_doubt", _one(watched.node.agreed_time.doubt() is not None)
    directory = sight.directory
    yield "truc_directory_version", _one(directory.version)
    if directory.version:
        yield "truc_directory_age_seconds", _one(_age_s(sight.now_ms, directory.signed_time_ms))
    yield "truc_directory_nodes", _one(len(directory.nodes))
    yield "truc_directory_units", _one(sight.units)
    yield "truc_directory_refused", [((reason.name,), count) for reason, count in watched.refused.items()]
    yield "truc_directory_certificates_unusable", _one(watched.unusable(directory))
    ends = watched.certificates.items()
    yield "truc_certificate_expiry_timestamp_seconds", [((use,), at_ms / 1000) for use, at_ms in ends]


def _one(value: float) -> Rows:
    return [((), value)]


def _labels(place: Place) -> tuple[str, str]:
    return place[0], LANES[place[1]]


def _age_s(now_ms: int, since_ms: int) -> float:
    return max(0.0, (now_ms - since_ms) / 1000)


def _by_reason(counts: Mapping[Reason, int]) -> Rows:
    return [((reason.name,), count) for reason, count in counts.items()]


def _by_outcome(good: str, counts: Mapping[Reason, int]) -> Rows:
    return [((reason.name if reason else good,), count) for reason, count in ({Reason.NONE: 0} | dict(counts)).items()]


def _family(name: str, rows: Rows | Histogram) -> Metric:
    figure = FIGURES[name]
    if isinstance(rows, Histogram):
        shown = HistogramMetricFamily(name, figure.help)
        shown.add_metric((), rows.cumulative(), rows.sum_s)
        return shown
    kind = CounterMetricFamily if figure.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, figure.help, labels=figure.labels)
    for labels, value in rows:
        family.add_metric(labels, float(value))
    return family
