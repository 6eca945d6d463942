"""A directory that an older program believed, odd certificates in it: the node starts and says so, `serve --check` does as the start."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import ZoneEditor
from node.ops.doctor.home import check_home
from node.ops.doctor.patient import Patient
from node.ops.home import Home
from node.ops.world import AUTHORITY, Place, World, build
from node.process.assembly import check, start
from node.seal.tls import load_tls
from tests.hostile.odd_certificates import ODD

UNREADABLE = "version 1 with extensions"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def believed_before(folder: Path, node_id: str, what: str) -> World:
    """Two nodes, one of which lists an odd certificate beside its own; nobody judged it then."""
    world = build(folder, "Thử", [Place("evil", "Nút evil", "G14"), Place("good", "Nút good", "H49")], now_ms())
    zone = ZoneEditor.open(world.home(node_id).zone)
    entry = world.directory(node_id).nodes[node_id]
    zone.set_node(replace(entry, tls_certificates=(*entry.tls_certificates, ODD[what]())))
    authority = Authority.open(folder / AUTHORITY)
    authority.take(zone.update(now_ms()), now_ms())
    authority.publish(now_ms())
    TrustedFolder(world.home("good").directory).update_from(authority.public, now_ms())
    return world


@pytest.mark.parametrize("what", [UNREADABLE, "SAN is no DER", "SAN twice", "version 5", "subject in broken UTF-8"])
def test_the_node_starts_and_health_names_the_entry(tmp_path: Path, what: str) -> None:
    world = believed_before(tmp_path / "world", "evil", what)
    home = world.home("good")
    check(home.path, home.settings())

    async def run() -> list[str]:
        node = await start(home.path, home.settings())
        try:
            async with home.admin() as admin:
                health = await admin.health()
            assert health.healthy
            return [finding.advice for finding in health.findings]
        finally:
            await node.stop()

    assert any("chứng thư TLS của nút evil" in advice for advice in asyncio.run(run()))
    assert any("chứng thư TLS của nút evil" in advice for advice in advices(home))


def advices(home: Home) -> list[str]:
    return [one.advice for one in check_home(Patient(home, now_ms()))]


def test_doctor_says_how_many_peers_are_lost(tmp_path: Path) -> None:
    world = believed_before(tmp_path / "world", "evil", UNREADABLE)
    home = world.home("good")
    assert not any("nút vì chứng thư hỏng" in one.said for one in check_home(Patient(home, now_ms())))
    entry = world.directory("good").nodes["evil"]
    zone = ZoneEditor.open(world.home("evil").zone)
    zone.set_node(replace(entry, tls_certificates=entry.tls_certificates[1:]))
    authority = Authority.open(world.folder / AUTHORITY)
    authority.take(zone.update(now_ms()), now_ms())
    authority.publish(now_ms())
    TrustedFolder(home.directory).update_from(authority.public, now_ms())
    assert any("mất 1/2 nút vì chứng thư hỏng: evil" in one.said for one in check_home(Patient(home, now_ms())))


def test_a_node_whose_only_certificate_is_odd_is_told_that_nobody_lets_it_in(tmp_path: Path) -> None:
    world = believed_before(tmp_path / "world", "good", UNREADABLE)
    home = world.home("good")
    own = load_tls(home.keys, None).certificate_der
    assert own in world.directory("good").certificates
    assert any("Hãy chạy truc node certificate ở nút này" in advice for advice in advices(home))
