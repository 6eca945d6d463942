"""The watch of real nodes: what it shows agrees with what was sent, and it answers whatever the node's condition."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.seal.files import replace_file
from node.seal.keyring import create_keys
from node.web.watch.figures import FIGURES, Kind
from tests.mesh.support import QUICK, delivered, eventually, run
from tests.papers import document
from tests.ports import free_ports
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, NodeSpec, RealMesh, wait_for
from tests.web.watching import Scrape, get, lose_witness, scrape, wait_until_open, watch_toml

DOCUMENTS = 7


class Watched:
    """Two nodes with a watch each."""

    def __init__(self, folder: Path) -> None:
        self.ports = dict(zip(("g14", "h49"), free_ports(2), strict=True))
        specs = [
            NodeSpec(spec.node_id, spec.prefix, spec.units, toml=watch_toml(self.ports[spec.node_id]))
            for spec in (MINISTRY, PROVINCE)
        ]
        self.mesh = RealMesh(folder, specs, NO_ARRIVALS + QUICK)

    def scrape(self, node_id: str) -> Scrape:
        return scrape(self.ports[node_id])


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    with made.mesh:
        for port in made.ports.values():
            wait_until_open(port)
        yield made


async def send(mesh: RealMesh) -> None:
    """Seven documents, one of them twice, and one that is refused."""
    async with mesh.office("g14") as office:
        for number in range(DOCUMENTS):
            await office.submit(document("H49.22", number=str(number)), f"n-{number}")
        await office.submit(document("H49.22", number="0"), "n-0")
        await office.submit(document("H49.22", sender="H49"), "not ours")
        for number in range(DOCUMENTS):
            await eventually(lambda number=number: delivered(office, f"n-{number}"))  # type: ignore[misc]


def test_figures_agree_with_what_was_sent(watched: Watched) -> None:
    run(send(watched.mesh))
    contact = "truc_peer_last_contact_timestamp_seconds"
    # The ministry has its receipts in the answers to its own pushes; when the province calls by itself is not part of that.
    wait_for(lambda: watched.scrape("g14").value(contact, peer="h49") is not None, 20, "h49 has called g14")
    origin, recipient = watched.scrape("g14"), watched.scrape("h49")

    assert origin.value("truc_packets_submitted_total", kind="document", by="system") == DOCUMENTS
    assert origin.value("truc_submissions_repeated_total") == 1
    assert origin.value("truc_submissions_refused_total", reason="UNIT_NOT_OWNED") == 1
    assert origin.value("truc_deliveries_ended_total", outcome="DELIVERED") == DOCUMENTS
    assert origin.value("truc_receipts_verified_total", level="delivered") == DOCUMENTS
    assert origin.total("truc_receipts_refused_total") == 0
    assert origin.total("truc_outbox_waiting") == 0
    assert origin.value("truc_peer_reachable", peer="h49") == 1
    pushes = origin.value("truc_peer_calls_total", peer="h49", method="push", outcome="OK")
    assert pushes is not None
    assert 1 <= pushes <= DOCUMENTS

    assert recipient.value("truc_packets_received_total", kind="document", receipt="delivered") == DOCUMENTS
    assert recipient.value("truc_recipients_served_total", outcome="ACCEPTED") == DOCUMENTS
    assert recipient.value("truc_calls_total", service="mesh", method="Push", outcome="OK") == pushes
    for seen in (origin, recipient):
        assert seen.value("truc_store_writable") == 1
        commits, waits = seen.value("truc_store_commits_total"), seen.value("truc_store_commit_wait_seconds_count")
        flushes = seen.value("truc_store_flush_seconds_count")
        assert commits
        assert waits
        assert flushes
        assert flushes <= waits
        assert seen.value("truc_watch_missing") == 0


def test_every_figure_is_shown_with_its_help_and_nothing_else(watched: Watched) -> None:
    run(send(watched.mesh))
    seen = watched.scrape("g14")
    own = {name: family for name, family in seen.families.items() if name.startswith("truc_")}

    assert own.keys() == FIGURES.keys()
    for name, family in own.items():
        assert family.documentation == FIGURES[name].help
        assert family.type == FIGURES[name].kind.value
        if FIGURES[name].kind is not Kind.HISTOGRAM:
            assert all(set(sample.labels) == set(FIGURES[name].labels) for sample in family.samples)
    others = {name for name in seen.families if not name.startswith("truc_")}
    assert all(name.startswith("process_") for name in others)


def test_no_label_holds_a_unit_a_packet_or_words_of_a_document(watched: Watched) -> None:
    run(send(watched.mesh))
    for node_id in ("g14", "h49"):
        _, text = get(watched.ports[node_id], "/metrics")
        for secret in ("H49.22", "G14.01", "G14", "n-0", "Bộ"):
            assert secret not in text


def test_what_waits_is_counted_by_peer_and_lane_with_its_age(watched: Watched) -> None:
    watched.mesh["h49"].kill()

    async def story() -> None:
        async with watched.mesh.office("g14") as office:
            for number in range(3):
                await office.submit(document("H49.22", number=str(number)), f"n-{number}")

    run(story())
    wait_for(
        lambda: watched.scrape("g14").total("truc_peer_calls_total", method="push", outcome="PEER_UNREACHABLE") > 0,
        20,
        "a push that fails",
    )
    seen = watched.scrape("g14")
    assert seen.value("truc_outbox_waiting", peer="h49", lane="normal") == 3
    assert 0 < (seen.value("truc_outbox_oldest_age_seconds", peer="h49", lane="normal") or 0) < 60
    assert seen.value("truc_peer_reachable", peer="h49") == 0
    assert (seen.value("truc_peer_failures", peer="h49") or 0) > 0

    watched.mesh["h49"].process = None
    watched.mesh["h49"].start()
    wait_for(lambda: watched.scrape("g14").total("truc_outbox_waiting") == 0, 30, "the outbox empties")
    seen = watched.scrape("g14")
    assert seen.value("truc_outbox_waiting", peer="h49", lane="normal") == 0, "it is shown with 0, not gone"
    assert seen.value("truc_deliveries_ended_total", outcome="DELIVERED") == 3


def test_live_and_ready_and_what_is_neither(watched: Watched) -> None:
    port = watched.ports["g14"]
    assert get(port, "/health/live") == (200, '{"live": true}')
    status, text = get(port, "/health/ready")
    assert status == 200
    assert '"ready": true' in text
    for path in ("/", "/metric", "/health", "/metrics/", "/vxp", "/%2e%2e/metrics"):
        status, text = get(port, path)
        assert status == 404
        assert "/health/ready" in text
    assert get(port, "/metrics", "POST")[0] == 405
    assert get(port, "/metrics", "HEAD") == (200, "")
    _, openmetrics = get(port, "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.rstrip().endswith("# EOF")


def test_a_fenced_node_is_live_but_not_ready_and_says_why(watched: Watched) -> None:
    node, port = watched.mesh["g14"], watched.ports["g14"]
    node.stop()
    lose_witness(node)
    node.start()
    wait_until_open(port)

    assert get(port, "/health/live")[0] == 200
    status, text = get(port, "/health/ready")
    assert status == 503
    assert "STORE_ROLLED_BACK" in text
    assert '"grave": true' in text
    seen = scrape(port)
    assert (seen.value("truc_store_fenced"), seen.value("truc_store_writable")) == (1, 0)
    assert seen.value("truc_peer_reachable", peer="h49") is not None, "what can be read is shown"


def test_a_node_whose_signing_key_is_not_the_directorys_is_not_ready_until_the_right_one_is_back(
    watched: Watched,
) -> None:
    node, port = watched.mesh["g14"], watched.ports["g14"]
    file = node.home / "keys" / "sign.pem"
    right = file.read_bytes()
    node.stop()
    create_keys(node.home / "other", None)
    (node.home / "other" / "sign.pem").replace(file)
    node.start()
    wait_until_open(port)
    status, text = get(port, "/health/ready")
    assert (status, "KEY_UNUSABLE" in text) == (503, True)

    node.stop()
    replace_file(file, right)
    node.start()
    wait_until_open(port)
    assert get(port, "/health/ready")[0] == 200
