"""The pinned certificate: two nodes that pin each other speak TLS, a stranger does not; files are closed to others."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from node.errors import Broken, Rejected
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.seal.tls import (
    TlsIdentity,
    certificate_der,
    check_expiry,
    create_certificate,
    is_expired,
    load_tls,
    not_after_ms,
    pem_from_der,
    server_name_of,
    write_tls,
)

NOW_MS = 1_790_000_000_000
HOSTS = ["truc.h49.example", "127.0.0.1", "::1"]


@pytest.fixture
def identity() -> TlsIdentity:
    return create_certificate("tinh-h49", HOSTS, 90, NOW_MS)


def now_identity(node_id: str) -> TlsIdentity:
    """A certificate that OpenSSL, which reads the wall clock, finds valid."""
    import time

    return create_certificate(node_id, ["127.0.0.1"], 90, int(time.time() * 1000))


def context(side: int, own: TlsIdentity, pinned: TlsIdentity, folder: Path) -> ssl.SSLContext:
    result = ssl.SSLContext(side)
    key, certificate = folder / f"{side}.key", folder / f"{side}.crt"
    key.write_bytes(own.key_pem)
    certificate.write_bytes(own.certificate_pem)
    result.load_cert_chain(certificate, key)
    result.verify_mode = ssl.CERT_REQUIRED
    result.verify_flags |= ssl.VERIFY_X509_STRICT
    result.load_verify_locations(cadata=pinned.certificate_pem.decode())
    return result


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bytes | None:
    """Do a mutual handshake in memory; return the client's certificate as the server saw it."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    done = 0
    for turn in range(10):
        try:
            sides[turn % 2].do_handshake()
            done += 1
        except ssl.SSLWantReadError:
            continue
        if done >= 4:
            break
    return sides[1].getpeercert(binary_form=True)


def test_two_nodes_that_pin_each_other_shake_hands_by_id_or_address(tmp_path: Path) -> None:
    ours, theirs = now_identity("bo-noi-vu"), now_identity("tinh-h49")
    client = context(ssl.PROTOCOL_TLS_CLIENT, ours, theirs, tmp_path)
    server = context(ssl.PROTOCOL_TLS_SERVER, theirs, ours, tmp_path)
    for name in ("tinh-h49", "127.0.0.1", server_name_of(theirs.certificate_der)):
        assert shake_hands(client, server, name) == ours.certificate_der


def test_a_stranger_with_the_same_name_is_refused(tmp_path: Path) -> None:
    ours, theirs, stranger = now_identity("bo-noi-vu"), now_identity("tinh-h49"), now_identity("tinh-h49")
    client = context(ssl.PROTOCOL_TLS_CLIENT, ours, theirs, tmp_path)
    server = context(ssl.PROTOCOL_TLS_SERVER, stranger, ours, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "tinh-h49")


def test_the_certificate_names_the_node_and_its_hosts_and_can_sign_no_other(identity: TlsIdentity) -> None:
    certificate = x509.load_pem_x509_certificate(identity.certificate_pem)
    assert certificate.subject.rfc4514_string() == "CN=tinh-h49"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["truc.h49.example", "tinh-h49"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    certificate.verify_directly_issued_by(certificate)


def test_a_host_that_is_none_is_refused() -> None:
    for host in ("", "truc.h49.example:9443", "tỉnh.example", "a b"):
        with pytest.raises(Rejected) as rejected:
            create_certificate("tinh-h49", [host], 90, NOW_MS)
        assert rejected.value.reason is Reason.REQUEST_INVALID


def test_it_is_valid_from_yesterday_for_as_many_days_as_asked(identity: TlsIdentity) -> None:
    der = identity.certificate_der
    assert not_after_ms(der) == NOW_MS + 90 * DAY_MS
    certificate = x509.load_der_x509_certificate(der)
    assert int(certificate.not_valid_before_utc.timestamp()) * 1000 == NOW_MS - DAY_MS
    assert [is_expired(der, NOW_MS + ms) for ms in (0, 90 * DAY_MS, 90 * DAY_MS + 1)] == [False, False, True]
    check_expiry(der, NOW_MS + 90 * DAY_MS)
    with pytest.raises(Broken) as broken:
        check_expiry(der, NOW_MS + 91 * DAY_MS)
    assert broken.value.reason is Reason.CERTIFICATE_EXPIRED


def test_pem_and_der_lead_to_each_other(identity: TlsIdentity) -> None:
    assert pem_from_der(identity.certificate_der) == identity.certificate_pem
    assert certificate_der(identity.certificate_pem) == identity.certificate_der
    assert server_name_of(identity.certificate_der) == "tinh-h49"


def test_what_is_no_certificate_is_a_fault() -> None:
    with pytest.raises(Broken) as broken:
        certificate_der(b"-----BEGIN NOTHING-----")
    assert broken.value.reason is Reason.KEY_UNUSABLE
    for read in (pem_from_der, not_after_ms, server_name_of):
        with pytest.raises(Broken) as broken:
            read(b"no certificate")
        assert broken.value.reason is Reason.DIRECTORY_INVALID


@pytest.mark.parametrize("passphrase", [None, b"a long random credential"])
def test_written_files_are_closed_to_others_and_read_again(
    tmp_path: Path, identity: TlsIdentity, passphrase: bytes | None
) -> None:
    write_tls(tmp_path / "keys", identity, passphrase)
    key = tmp_path / "keys" / "tls.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED" if passphrase else b"-----BEGIN PRIVATE")
    assert load_tls(tmp_path / "keys", passphrase) == identity
    with pytest.raises(Broken) as broken:
        write_tls(tmp_path / "keys", identity, passphrase)
    assert broken.value.reason is Reason.ALREADY_EXISTS


def test_files_that_are_missing_exposed_or_do_not_belong_together_are_refused(
    tmp_path: Path, identity: TlsIdentity
) -> None:
    write_tls(tmp_path, identity, None)
    (tmp_path / "tls.crt").write_bytes(create_certificate("tinh-h49", HOSTS, 90, NOW_MS).certificate_pem)
    assert refused(tmp_path) is Reason.KEY_UNUSABLE
    (tmp_path / "tls.crt").unlink()
    assert refused(tmp_path) is Reason.KEY_FILE_MISSING
    (tmp_path / "tls.key").chmod(0o644)
    assert refused(tmp_path) is Reason.KEY_FILE_EXPOSED
    (tmp_path / "tls.key").unlink()
    assert refused(tmp_path) is Reason.KEY_FILE_MISSING


def refused(folder: Path) -> Reason:
    with pytest.raises(Broken) as broken:
        load_tls(folder, None)
    return broken.value.reason


def test_an_rsa_certificate_from_elsewhere_is_as_good(tmp_path: Path, identity: TlsIdentity) -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    template = x509.load_pem_x509_certificate(identity.certificate_pem)
    builder = x509.CertificateBuilder(template.issuer, template.subject, key.public_key(), template.serial_number)
    builder = builder.not_valid_before(template.not_valid_before_utc).not_valid_after(template.not_valid_after_utc)
    certificate = builder.sign(key, template.signature_hash_algorithm)  # type: ignore[arg-type]
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    foreign = TlsIdentity(key_pem, certificate.public_bytes(Encoding.PEM))
    write_tls(tmp_path, foreign, None)
    assert load_tls(tmp_path, None) == foreign
    assert server_name_of(foreign.certificate_der) == "tinh-h49"


def test_nothing_shows_the_key(identity: TlsIdentity) -> None:
    assert "PRIVATE" not in repr(identity)
    assert "CERTIFICATE" in repr(identity)
