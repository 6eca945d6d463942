"""An admitted node makes every other field of its file odd: it keeps its former file, the others are not touched, nothing ends a start."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from node.directory import rules
from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import create_join_request
from node.errors import Broken
from node.model.directory import NodeEntry, PublicKey
from node.net.tls_trial import tls_trial
from node.seal.certificate import check_certificate
from tests.directory.people import NOW_MS, Country, country, node_bytes, smuggle
from tests.hostile.odd_certificates import KEY, ODD, builder, sound, squatting
from tests.hostile.test_certificates import judged, named, real, with_certificates
from tests.net.support import identity

EVIL, G14 = identity("evil").certificate_der, identity("g14").certificate_der


def evil(**fields: object) -> NodeEntry:
    return replace(with_certificates("evil", EVIL), **fields)  # type: ignore[arg-type]


def padded() -> bytes:
    """A node file with a megabyte under a field that nobody knows."""
    return node_bytes(evil()) + b"\xfa\x7f" + b"\x80\x80\x40" + bytes(1 << 20)


REFUSED: dict[str, Callable[[], bytes]] = {
    "no certificate": lambda: node_bytes(evil(tls_certificates=())),
    "no signing key": lambda: node_bytes(evil(signing_keys=())),
    "no sealing key": lambda: node_bytes(evil(sealing_keys=())),
    "17 certificates": lambda: node_bytes(evil(tls_certificates=(EVIL,) * 17)),
    "16 odd certificates": lambda: node_bytes(evil(tls_certificates=tuple(make() for make in list(ODD.values())[:16]))),
    "another node's certificate": lambda: node_bytes(evil(tls_certificates=(EVIL, G14))),
    "a certificate by another's name": lambda: node_bytes(evil(tls_certificates=(EVIL, squatting(G14)))),
    "an empty certificate": lambda: node_bytes(evil(tls_certificates=(EVIL, b""))),
    "a key of 31 octets": lambda: node_bytes(evil(signing_keys=(PublicKey(b"k" * 31, 1),))),
    "a key of suite 0": lambda: node_bytes(evil(signing_keys=(PublicKey(b"k" * 32, 0),))),
    "a key that ends before it begins": lambda: node_bytes(evil(sealing_keys=(PublicKey(b"k" * 32, 1, 9, 8),))),
    "relays: itself": lambda: node_bytes(evil(via_relays=("evil",))),
    "relays: one twice": lambda: node_bytes(evil(via_relays=("g14", "g14"))),
    "relays: a hundred": lambda: node_bytes(evil(via_relays=tuple(f"r{number}" for number in range(100)))),
    "relays: a path": lambda: node_bytes(evil(via_relays=("../g14",))),
    "name: empty": lambda: node_bytes(evil(name=" ")),
    "name: turned round": lambda: node_bytes(evil(name="Bộ \u202eÁN GNÔC")),
    "name: of no width": lambda: node_bytes(evil(name="Bộ Công\u200b an")),
    "name: with a terminal's commands": lambda: node_bytes(evil(name="\x1b[2JBộ")),
    "name: without end": lambda: node_bytes(evil(name="B" * 100_000)),
    "address: no port": lambda: node_bytes(evil(mesh_address="h49.gov.vn")),
    "address: port 0": lambda: node_bytes(evil(mesh_address="h49.gov.vn:0")),
    "address: a scheme": lambda: node_bytes(evil(mesh_address="unix:///run/truc.sock:1")),
    "address: several": lambda: node_bytes(evil(mesh_address="127.0.0.1:1,127.0.0.1:2")),
    "address: with a line": lambda: node_bytes(evil(mesh_address="h49:1\n")),
    "another id": lambda: node_bytes(evil(node_id="g14")),
    "no message": lambda: b"\xff" * 100,
    "nothing": lambda: b"",
    "a megabyte of padding": padded,
}


@pytest.fixture
def land(tmp_path: Path) -> Country:
    made = country(tmp_path)
    for node_id in ("evil", "g14"):
        made.join(node_id)
        real(made, node_id, identity(node_id).certificate_der)
    made.authority.publish(NOW_MS)
    return made


@pytest.mark.parametrize("what", REFUSED)
def test_an_odd_field_costs_its_owner_s_change_and_nothing_else(land: Country, what: str) -> None:
    reader = judged(land, "reader")
    before = named(reader.update_from(land.authority.public, NOW_MS))
    smuggle(land, "evil", {"nodes/evil": REFUSED[what]()}, 9)
    with pytest.raises(Broken) as caught:
        Authority.open(land.root / "authority", tls_trial()).publish(NOW_MS)
    assert "nodes/evil" in caught.value.detail
    assert caught.value.detail.isprintable()
    land.authority.publish(NOW_MS)
    newcomer = judged(land, "newcomer")
    assert set(newcomer.update_from(land.authority.public, NOW_MS).nodes) == {"g14"}
    assert named(reader.update_from(land.authority.public, NOW_MS)) == before
    assert TrustedFolder(land.root / "reader" / "directory").load().nodes.keys() == {"evil", "g14"}
    assert all(finding.advice.isprintable() for finding in reader.findings)


def test_the_authority_can_still_see_and_admit_others_while_a_member_s_file_is_odd(land: Country) -> None:
    smuggle(land, "evil", {"nodes/evil": b"\xff" * 100}, 9)
    land.authority.publish(NOW_MS)
    authority = Authority.open(land.root / "authority", tls_trial())
    described = with_certificates("new", identity("new").certificate_der)
    authority.admit(create_join_request(land.zone_folder("new"), described, [], NOW_MS), None, set(), NOW_MS)
    assert [node.node_id for node in authority.summary().nodes] == ["evil", "g14", "new"]
    authority.publish(NOW_MS)
    authority.revoke("evil", NOW_MS)
    authority.publish(NOW_MS)


def test_a_file_that_was_good_under_older_rules_does_not_end_the_start(
    land: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(rules, "_check_relays", lambda where, node_id, relays: None)
        smuggle(land, "evil", {"nodes/evil": node_bytes(evil(via_relays=("evil",)))}, 9)
        land.authority.publish(NOW_MS)
        judged(land, "reader").update_from(land.authority.public, NOW_MS)
    reader = judged(land, "reader")
    assert set(reader.load().nodes) == {"g14"}
    assert ["nodes/evil: breaks rules newer" in one for one in reader.doubts] == [True]
    land.authority.refresh(NOW_MS)
    assert set(reader.update_from(land.authority.public, NOW_MS).nodes) == {"g14"}


def test_keys_of_another_node_give_nothing_and_harm_nobody(land: Country) -> None:
    """Allowed, since whose key it is tells nobody: signatures are looked up at the node that is said to have made them."""
    reader = judged(land, "reader")
    g14 = with_certificates("g14", G14)
    smuggle(
        land, "evil", {"nodes/evil": node_bytes(evil(signing_keys=g14.signing_keys, sealing_keys=g14.sealing_keys))}, 9
    )
    land.authority.publish(NOW_MS)
    assert set(reader.update_from(land.authority.public, NOW_MS).nodes) == {"evil", "g14"}


def test_ten_thousand_strange_files_are_told_of_in_a_few_words(land: Country) -> None:
    strange = {f"zones/X{number}": b"" for number in range(10_000)}
    smuggle(land, "evil", {"nodes/evil": node_bytes(evil())} | strange, 9)
    land.authority.publish(NOW_MS)
    reader = judged(land, "reader")
    reader.update_from(land.authority.public, NOW_MS)
    assert 0 < len(reader.findings) < 10


def test_a_name_with_several_parts_in_one_place_is_the_same_in_any_order() -> None:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, "ab"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "B  C")]
    other = [x509.NameAttribute(NameOID.COMMON_NAME, "AB"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "b c")]
    subjects = set()
    for some in (parts, other):
        name = x509.Name([x509.RelativeDistinguishedName(some)])
        made = builder()
        made._subject_name = name  # type: ignore[attr-defined]
        subjects.add(check_certificate(made.sign(KEY, SHA256()).public_bytes(Encoding.DER)).subject)
    assert len(subjects) == 1
    assert check_certificate(sound()).subject not in subjects
