"""Do the peers find us, do their clocks agree with ours, and do they run programs that understand each other?"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from node.model.office import HealthView, PeerView
from node.model.reason import Reason
from node.model.thresholds import PEER_SILENT_AFTER_MS
from node.ops.doctor.check import State
from node.ops.doctor.peers import check_peers

NOW_MS = 1_795_000_000_000

HEALTH = HealthView(True, (), "h37", "truc 0.4.0", NOW_MS - 2 * PEER_SILENT_AFTER_MS, 3, NOW_MS, 5, 1, 1, 1)
PEER = PeerView(
    "g14", "Bộ", "g14:7401", "open", Reason.NONE, 0, 0, NOW_MS, "", 0, (), -1_500, 3, NOW_MS - 30_000, "truc 0.4.1"
)
SETTINGS: Any = SimpleNamespace(mesh=SimpleNamespace(advertise="h37.vn:7401"))


def looked(*peers: PeerView, settings: Any = SETTINGS, health: HealthView = HEALTH) -> dict[str, Any]:
    return {check.name: check for check in check_peers(settings, health, list(peers), NOW_MS)}


def test_peers_that_call_us_and_run_what_we_run() -> None:
    seen = looked(PEER)
    assert all(check.state is State.FINE for check in seen.values())
    assert "1/1 nút" in seen["inbound"].said
    assert "truc 0.4.0" in seen["versions"].said
    assert "1,50 giây" in seen["clock"].said


def test_a_peer_that_we_reach_and_that_does_not_call() -> None:
    never = replace(PEER, node_id="h49", last_contact_ms=0)
    long_ago = replace(PEER, node_id="h50", last_contact_ms=NOW_MS - 3 * PEER_SILENT_AFTER_MS)
    seen = looked(PEER, never, long_ago)

    assert seen["inbound"].state is State.WARNING
    assert "h49 (chưa lần nào" in seen["inbound"].said
    assert "h50 (lần cuối" in seen["inbound"].said
    assert "h37.vn:7401" in seen["inbound"].advice


def test_a_node_that_has_just_started_is_given_time() -> None:
    fresh = replace(HEALTH, start_time_ms=NOW_MS - 1_000)
    assert looked(replace(PEER, last_contact_ms=0), health=fresh)["inbound"].state is State.FINE


def test_where_nobody_may_call_nobody_is_missed() -> None:
    hidden: Any = SimpleNamespace(mesh=SimpleNamespace(advertise=""))
    seen = looked(replace(PEER, last_contact_ms=0), replace(PEER, road="relayed", last_contact_ms=0), settings=hidden)
    assert seen["inbound"].state is State.FINE


@pytest.mark.parametrize(
    ("software", "state"),
    [("truc 0.2.9", State.FINE), ("truc 0.1.0", State.WARNING), ("truc 1.4.0", State.WARNING), ("khác 9", State.FINE)],
)
def test_programs_too_far_apart_are_told(software: str, state: State) -> None:
    seen = looked(PEER, replace(PEER, node_id="h49", software=software))
    assert seen["versions"].state is state
    assert software in seen["versions"].said
