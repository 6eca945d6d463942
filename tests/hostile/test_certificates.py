"""An admitted node lists odd certificates: it costs that node, and nobody else."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.directory.trust.unusable import unusable_findings
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.errors import Broken, Fault
from node.model.directory import Directory, NodeEntry, directory_of
from node.model.mesh import Hello
from node.model.reason import Reason
from node.net.channels import Channels, Kind
from node.net.peers import GrpcPeers
from node.net.tls_trial import TlsTrial, shake_hands, tls_trial
from node.seal.certificate import check_certificate
from node.seal.tls import host_names_of, not_after_ms, pem_from_der, server_name_of
from tests.directory.people import NOW_MS, Country, country, entry, node_bytes, smuggle
from tests.hostile.odd_certificates import ODD, sound, squatting
from tests.net.support import FakeNode, Source, identity, mesh
from tests.net.support import entry as peer_entry

ALLOWED = {
    "no SAN", "key usage empty", "unknown extension", "extensions empty", "unique identifiers", "times: generalized before 2050",
}  # fmt: skip
"""Odd, but read alike by everybody."""
HELLO = Hello("a", 1, 1, 5, 2, (), "truc test")


def fault_of(der: bytes) -> str:
    with pytest.raises(Broken) as caught:
        check_certificate(der)
    assert caught.value.reason is Reason.DIRECTORY_INVALID
    return caught.value.detail


def reason_of(ask: Callable[[], object]) -> Reason | None:
    """Return the reason of the fault that it ends with; what is no fault is raised."""
    try:
        ask()
    except Fault as fault:
        return fault.reason
    return None


def with_certificates(node_id: str, *ders: bytes, address: str = "127.0.0.1:7701") -> NodeEntry:
    return replace(entry(node_id, address=address), tls_certificates=ders)


@pytest.mark.parametrize("what", sorted(ODD.keys() - ALLOWED))
def test_the_profile_refuses_it_in_one_way(what: str) -> None:
    assert fault_of(ODD[what]())


@pytest.mark.parametrize("what", sorted(ODD))
def test_whatever_is_asked_of_it_there_is_one_kind_of_fault(what: str) -> None:
    for ask in (server_name_of, host_names_of, not_after_ms, pem_from_der):
        assert reason_of(partial(ask, ODD[what]())) in (None, Reason.DIRECTORY_INVALID)


@pytest.mark.parametrize("what", sorted(ALLOWED))
def test_what_the_profile_allows_does_no_harm_among_the_roots(what: str) -> None:
    der = ODD[what]()
    check_certificate(der)
    assert shake_hands([der])


def test_what_nodes_make_themselves_keeps_to_the_profile() -> None:
    assert check_certificate(identity("a").certificate_der).subject.endswith("=a")
    assert not TlsTrial().faults([identity("a").certificate_der, sound()])


def test_grpc_s_own_tls_finds_what_a_profile_would_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.net.tls_trial.profile_fault", lambda der: "")
    bad = [ODD["version 1 with extensions"](), ODD["subject in broken UTF-8"]()]
    good = [sound(f"node-{number}") for number in range(20)]
    trial = TlsTrial()
    assert set(trial.faults([*good[:9], bad[0], *good[9:], bad[1]])) == set(bad)


def test_many_are_tried_by_one_handshake_and_none_twice() -> None:
    asked: list[int] = []
    bad = sound("node-7")

    def shake(ders: "list[bytes]") -> bool:  # type: ignore[type-arg]
        asked.append(len(ders))
        return bad not in ders

    trial, ders = TlsTrial(shake), [sound(f"node-{number}") for number in range(16)]  # type: ignore[arg-type]
    assert not trial.faults(ders)
    assert asked == [16]
    assert list(trial.faults([*ders, bad])) == [bad]
    assert asked == [16, 1, 0]


def test_where_no_handshake_succeeds_at_all_nobody_is_blamed() -> None:
    with pytest.raises(Broken) as caught:
        TlsTrial(lambda ders: False).faults([sound()])
    assert caught.value.reason is Reason.IO_FAILED


@pytest.mark.parametrize("what", ["version 1 with extensions", "subject in broken UTF-8", "SAN is no DER", "version 5"])
def test_a_server_with_it_among_its_peers_starts_and_serves_everybody_else(what: str) -> None:
    """Of four that come before and after it in the order of the roots, each gets in, and a newcomer later, too."""
    evil = replace(peer_entry("evil", ""), tls_certificates=(ODD[what](),))
    names = ["a", "c", "d", "e"]

    async def run() -> None:
        directory = Source(evil, *[peer_entry(name, "", identity(name)) for name in names])
        async with mesh(FakeNode(), directory, identity("b")) as (address, _):
            for name in names:
                await greet(name, address)
            directory.set(evil, *[peer_entry(name, "", identity(name)) for name in [*names, "late"]])
            await greet("late", address)

    asyncio.run(run())


async def greet(name: str, address: str) -> None:
    peers = GrpcPeers(identity(name))
    try:
        await peers.hello(peer_entry("b", address, identity("b")), HELLO)
    finally:
        await peers.close()


def test_a_call_to_the_node_with_the_odd_certificate_ends_with_a_fault() -> None:
    async def run() -> None:
        channels = Channels(identity("a"))
        peers = [replace(peer_entry("evil", "127.0.0.1:9"), tls_certificates=(make(),)) for make in ODD.values()]
        ended = {reason_of(partial(channels.line, peer, Kind.FAST)) for peer in peers}
        assert ended <= {None, Reason.PEER_TLS_FAILED, Reason.KEY_UNUSABLE}
        await channels.close()

    asyncio.run(run())


# The directory


def judged(land: Country, name: str) -> TrustedFolder:
    folder = TrustedFolder(land.root / name / "directory", tls_trial())
    folder.bootstrap(land.authority.root_json())
    return folder


def real(land: Country, node_id: str, *ders: bytes) -> None:
    """Let a node sign a file with these certificates, past the authority's checks."""
    smuggle(
        land,
        node_id,
        {f"nodes/{node_id}": node_bytes(with_certificates(node_id, *ders))},
        version_of(land, node_id) + 1,
    )


def version_of(land: Country, node_id: str) -> int:
    return next(node.zone_version for node in land.authority.summary().nodes if node.node_id == node_id)


@pytest.fixture
def land(tmp_path: Path) -> Country:
    made = country(tmp_path)
    for node_id in ("evil", "g14", "h49"):
        made.join(node_id)
        real(made, node_id, identity(node_id).certificate_der)
    made.authority.publish(NOW_MS)
    return made


def named(directory: Directory) -> dict[str, tuple[bytes, ...]]:
    return {node.node_id: node.tls_certificates for node in directory.nodes.values()}


@pytest.mark.parametrize("what", ["version 1 with extensions", "SAN is no DER"])
def test_a_node_that_publishes_it_keeps_its_former_file_and_the_others_get_theirs(land: Country, what: str) -> None:
    reader = judged(land, "reader")
    before = named(reader.update_from(land.authority.public, NOW_MS))
    assert set(before) == {"evil", "g14", "h49"}
    changed = identity("h49", serial=1).certificate_der
    real(land, "evil", ODD[what]())
    real(land, "h49", changed)
    land.authority.publish(NOW_MS)
    after = named(reader.update_from(land.authority.public, NOW_MS))
    assert after == before | {"h49": (changed,)}
    assert any("nodes/evil: certificate 1 of 1" in finding.advice for finding in reader.findings)


def test_a_newcomer_to_the_directory_leaves_it_out(land: Country) -> None:
    real(land, "evil", identity("evil").certificate_der, ODD["version 1 with extensions"]())
    land.authority.publish(NOW_MS)
    reader = judged(land, "newcomer")
    assert set(named(reader.update_from(land.authority.public, NOW_MS))) == {"g14", "h49"}
    assert any("certificate 2 of 2" in finding.advice for finding in reader.findings)


@pytest.mark.parametrize("victim", ["g14", "h49"])
def test_a_certificate_that_would_pass_for_another_node_s_issuer_is_not_believed(land: Country, victim: str) -> None:
    """Found by trial: BoringSSL compares names without case, takes the first, and the victim's own signature then fails."""
    reader = judged(land, "reader")
    before = named(reader.update_from(land.authority.public, NOW_MS))
    evil = squatting(identity(victim).certificate_der)
    assert shake_hands([evil])
    check_certificate(evil)
    real(land, "evil", evil)
    land.authority.publish(NOW_MS)
    assert named(reader.update_from(land.authority.public, NOW_MS)) == before
    assert any(f"goes by a name of {victim}" in finding.advice for finding in reader.findings)


def test_certificates_of_one_node_and_those_with_key_identifiers_may_share_a_name(land: Country) -> None:
    reader = judged(land, "reader")
    renewed = identity("g14", serial=1).certificate_der
    real(land, "g14", identity("g14").certificate_der, renewed)
    real(land, "h49", identity("g14", serial=2).certificate_der)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert (reader.findings, len(directory.certificates)) == ([], 4)


def test_what_an_older_program_believed_is_told_with_what_it_costs() -> None:
    odd = ODD["version 1 with extensions"]()
    nodes = [with_certificates("evil", odd), with_certificates("h49", odd + b"\0", identity("h49").certificate_der)]
    directory = directory_of(1, 0, nodes, [])
    faults = tls_trial().faults(directory.certificates)
    told = unusable_findings(directory, faults, "g14")
    assert [("Mất 1 nút bạn: evil" in one.advice, one.grave) for one in told] == [(True, False), (False, False)]
    assert [one.grave for one in unusable_findings(directory, faults, "evil")] == [True, False]


def test_the_authority_does_not_take_what_nodes_could_not_use(land: Country) -> None:
    authority = Authority.open(land.root / "authority", tls_trial())
    zone = ZoneEditor.open(land.zone_folder("evil"))
    before = authority.summary()
    for der, said in (
        (ODD["version 1 with extensions"](), "version 1, must be 3"),
        (squatting(identity("g14").certificate_der), "goes by a name of g14"),
        (identity("g14").certificate_der, "uses the TLS certificate of g14"),
    ):
        zone.set_node(with_certificates("evil", der))
        update = ready(zone, land, "evil")
        with pytest.raises(Broken) as caught:
            authority.take(update, NOW_MS)
        assert caught.value.reason is Reason.DIRECTORY_INVALID
        assert said in caught.value.detail
    assert authority.summary() == before


def test_the_authority_does_not_admit_it_either(land: Country) -> None:
    authority = Authority.open(land.root / "authority", tls_trial())
    described = with_certificates("new", ODD["version 1 with extensions"]())
    request = create_join_request(land.zone_folder("new"), described, [], NOW_MS)
    with pytest.raises(Broken) as caught:
        authority.admit(request, None, set(), NOW_MS)
    assert "version 1, must be 3" in caught.value.detail
    assert "new" not in [node.node_id for node in authority.summary().nodes]


def ready(zone: ZoneEditor, land: Country, node_id: str) -> bytes:
    """Sign an update whose version is above what was smuggled in."""
    update = zone.update(NOW_MS)
    while zone.version <= version_of(land, node_id):
        update = zone.update(NOW_MS)
    return update
