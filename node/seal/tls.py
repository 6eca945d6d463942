"""TLS certificate of the node. It is self-signed and worth nothing by itself: the directory names it, octet for octet.

There is no certificate authority to run. A certificate from one can be pinned just as well; nothing here asks for the issuer.
The files are keys/tls.key (private, like the other keys) and keys/tls.crt.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node.errors import Broken, Rejected
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.seal.certificate import DNS_NAME, alternative_names, read_certificate, reading, server_name
from node.seal.files import PUBLIC_MODE, make_folder, read_public, replace_file, write_new
from node.seal.keyring import encryption_of, load_private_key

KEY_FILE, CERTIFICATE_FILE = "tls.key", "tls.crt"
TlsKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""Keys of the kind that `create_certificate` makes, or that authorities issue certificates for."""
BACKDATE_MS = DAY_MS
"""A new certificate is valid since yesterday, so that a peer whose clock is behind accepts it at once."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Private key (PKCS8 PEM, in the clear, for the TLS library only) and certificate (PEM)."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes

    @property
    def certificate_der(self) -> bytes:
        """The certificate as the directory lists it."""
        return certificate_der(self.certificate_pem)


def create_certificate(node_id: str, hosts: Sequence[str], valid_days: int, now_ms: int) -> TlsIdentity:
    """Make a key (ECDSA P-256) and a self-signed certificate over it.

    Subject CN is the node's id. Alternative names are the hosts (names or IP addresses, no ports) and the node's id, by which
    a peer that has pinned the certificate can ask for it whatever address it dialled. Raises Rejected(REQUEST_INVALID)
    for a host that is neither.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now_ms - BACKDATE_MS))
        .not_valid_after(_time(now_ms + valid_days * DAY_MS))
    )
    for extension, critical in _extensions(key.public_key(), [*hosts, node_id]):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, SHA256())
    return TlsIdentity(_key_pem(key), certificate.public_bytes(Encoding.PEM))


def write_tls(folder: Path, identity: TlsIdentity, passphrase: bytes | None) -> None:
    """Write key and certificate into a folder, the key encrypted if there is a passphrase. Faults as in files.write_new."""
    make_folder(folder)
    write_new(folder / KEY_FILE, _key_file(identity, passphrase))
    write_new(folder / CERTIFICATE_FILE, identity.certificate_pem, PUBLIC_MODE)


def replace_tls(folder: Path, identity: TlsIdentity, passphrase: bytes | None) -> None:
    """Put key and certificate in the place of those that are there, each whole; faults as in files.replace_file.

    After a cut between the two they do not belong together, and `load_tls` says so: keep the new ones until this has returned.
    """
    replace_file(folder / KEY_FILE, _key_file(identity, passphrase))
    replace_file(folder / CERTIFICATE_FILE, identity.certificate_pem, PUBLIC_MODE)


def _key_file(identity: TlsIdentity, passphrase: bytes | None) -> bytes:
    return _private_key_of(identity).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption_of(passphrase))


def load_tls(folder: Path, passphrase: bytes | None) -> TlsIdentity:
    """Read key and certificate, of any issuer.

    Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED, or KEY_UNUSABLE if one of them cannot be read or they do not belong
    together. Expiry is not asked here: see `check_expiry`.
    """
    key = load_private_key(folder / KEY_FILE, passphrase)
    if not isinstance(key, TlsKey):
        raise Broken(Reason.KEY_UNUSABLE, f"{folder / KEY_FILE} is no elliptic-curve or RSA key")
    certificate_pem = read_public(folder / CERTIFICATE_FILE)
    if not _belongs(certificate_der(certificate_pem), key):
        raise Broken(Reason.KEY_UNUSABLE, f"{folder / CERTIFICATE_FILE} is not the certificate of {KEY_FILE}")
    return TlsIdentity(_key_pem(key), certificate_pem)


def _belongs(der: bytes, key: TlsKey) -> bool:
    """Tell whether a certificate is over a key; one whose key cannot be read is not."""
    try:
        with reading():
            return read_certificate(der).public_key() == key.public_key()
    except Broken:
        return False


def certificate_der(certificate_pem: bytes) -> bytes:
    """Return the DER of the first certificate in a PEM. Raises Broken(KEY_UNUSABLE) if there is none."""
    try:
        with reading():
            return x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER)
    except Broken as error:
        raise Broken(Reason.KEY_UNUSABLE, "the PEM holds no certificate") from error


def certificates_der(pem: bytes) -> tuple[bytes, ...]:
    """Return the DER of every certificate in a PEM; there may be two while one takes the other's place.

    Raises Broken(KEY_UNUSABLE) if there is none.
    """
    try:
        with reading():
            return tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem))
    except Broken as error:
        raise Broken(Reason.KEY_UNUSABLE, "the PEM holds no certificate") from error


def pem_from_der(der: bytes) -> bytes:
    """Return a certificate as PEM. Raises Broken(DIRECTORY_INVALID) if it is none: pins come from the directory."""
    return read_certificate(der).public_bytes(Encoding.PEM)


def not_after_ms(der: bytes) -> int:
    """Return when a certificate expires, milliseconds since 1970 UTC. Raises Broken(DIRECTORY_INVALID)."""
    certificate = read_certificate(der)
    with reading():
        return int(certificate.not_valid_after_utc.timestamp()) * 1000


def is_expired(der: bytes, now_ms: int) -> bool:
    """Tell whether a certificate's time is over. Raises Broken(DIRECTORY_INVALID)."""
    return now_ms > not_after_ms(der)


def check_expiry(der: bytes, now_ms: int) -> None:
    """Raise Broken(CERTIFICATE_EXPIRED) if this node's own certificate is over."""
    if is_expired(der, now_ms):
        raise Broken(Reason.CERTIFICATE_EXPIRED, f"since {_time(not_after_ms(der)).isoformat()}")


def server_name_of(der: bytes) -> str:
    """Return a name under which a pinned certificate can be asked for: its last DNS name (ours: the node's id), else its CN.

    Raises Broken(DIRECTORY_INVALID) if it is no certificate, or one with a part that cannot be read; "" if it has no name at all.
    """
    return server_name(read_certificate(der))


def host_names_of(der: bytes) -> list[str]:
    """Return the names and addresses for which clients take a certificate; a common name alone is none.

    Raises Broken(DIRECTORY_INVALID) if it is no certificate, or one with a part that cannot be read.
    """
    dns, addresses = alternative_names(read_certificate(der))
    return [*dns, *addresses]


def _extensions(key: ec.EllipticCurvePublicKey, names: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_signing_only(), True),
        (x509.ExtendedKeyUsage(usages), False),
        (x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key), False),
    ]


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return _dns_name(host)


def _dns_name(host: str) -> x509.DNSName:
    if not DNS_NAME.fullmatch(host):
        raise Rejected(Reason.REQUEST_INVALID, f"{host[:100]!r} is neither a host name nor an IP address")
    return x509.DNSName(host)


def _private_key_of(identity: TlsIdentity) -> TlsKey:
    key = load_pem_private_key(identity.key_pem, None)
    assert isinstance(key, TlsKey)
    return key


def _key_pem(key: TlsKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _time(ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms // 1000, datetime.UTC)
