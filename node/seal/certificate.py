"""Certificate: what it must be to stand in the directory: a strict profile, and reading that fails in one way only.

The library that reads certificates here and the one inside gRPC disagree about odd ones. gRPC stops at the first root that it cannot
read and forgets all that follow, so one odd certificate among the roots costs everybody. A profile that allows only what every
library reads alike leaves little to disagree about; what is left is tried by gRPC's own TLS (node/net/tls_trial.py).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier, SignatureAlgorithmOID

from node.errors import Broken
from node.model.directory import CertificateNames
from node.model.reason import Reason

CERTIFICATE_BYTES_MAX = 8 * 1024
NAMES_MAX = 64
SUBJECT_BYTES_MAX = 1024
EXTENSIONS_MAX = 24
YEARS = range(2000, 2101)
VALID_DAYS_MAX = 40 * 366
RSA_BITS = range(2048, 4097)

DNS_NAME = re.compile(r"[A-Za-z0-9.*_-]{1,253}")
"""Names that gRPC can be asked to expect of a server, as `create_certificate` writes them."""

_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
_CRITICAL_KNOWN: frozenset[ObjectIdentifier] = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_MEND = "create another with 'truc node certificate' and publish the zone again"


def check_certificate(der: bytes) -> CertificateNames:
    """Read a certificate, hold it against the profile, return how TLS looks it up.

    Raises Broken(DIRECTORY_INVALID) with what is wrong and what to do.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        _refuse(f"{len(der)} octets, at most {CERTIFICATE_BYTES_MAX}")
    certificate = read_certificate(der)
    with reading():
        _check_form(certificate, der)
        _check_key(certificate)
        _check_times(certificate)
        _check_subject(certificate)
        _check_extensions(certificate)
        _check_server_name(certificate)
        return CertificateNames(
            _folded(certificate.subject), _own_key(certificate), _folded(certificate.issuer), _issuers_key(certificate)
        )


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a DER certificate, whatever it may be. Raises Broken(DIRECTORY_INVALID) and nothing else."""
    with reading():
        return x509.load_der_x509_certificate(der)


def alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """Return the DNS names and the IP addresses that a certificate is for. Raises Broken(DIRECTORY_INVALID)."""
    with reading():
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return [], []
        return found.get_values_for_type(x509.DNSName), [str(one) for one in found.get_values_for_type(x509.IPAddress)]


def common_names(certificate: x509.Certificate) -> list[str]:
    """Return the subject's common names. Raises Broken(DIRECTORY_INVALID)."""
    with reading():
        return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


@contextmanager
def reading() -> Iterator[None]:
    """Within: whatever the library raises about a certificate is Broken(DIRECTORY_INVALID)."""
    try:
        yield
    except Broken:
        raise
    except Exception as error:
        # Parts are read when they are asked for, and each kind of nonsense has an exception of its own: ValueError, TypeError,
        # InvalidVersion, DuplicateExtension, UnsupportedAlgorithm and more. To us they all say that it cannot be read.
        raise Broken(Reason.DIRECTORY_INVALID, f"not a DER certificate: {str(error)[:120]}") from error


def _refuse(what: str) -> NoReturn:
    raise Broken(Reason.DIRECTORY_INVALID, f"TLS certificate: {what}; {_MEND}")


def _check_form(certificate: x509.Certificate, der: bytes) -> None:
    """Look at what surrounds the content: no octet too many, version, serial, who signed and how."""
    if certificate.public_bytes(Encoding.DER) != der:
        _refuse("its DER does not re-encode identically")
    if certificate.version is not x509.Version.v3:
        _refuse(f"version {certificate.version.value + 1}, must be 3")
    if not 0 < certificate.serial_number < 1 << 160:
        _refuse("serial number is not positive or longer than 20 octets")
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        _refuse(
            f"signature algorithm {certificate.signature_algorithm_oid.dotted_string}, must be ECDSA or RSA with SHA-2"
        )
    if certificate.issuer == certificate.subject:
        certificate.verify_directly_issued_by(certificate)


def _check_key(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            _refuse(f"key on the curve {key.curve.name}, must be P-256 or P-384")
    elif isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if key.key_size not in RSA_BITS or not numbers.n & 1 or not (numbers.e & 1 and 3 <= numbers.e < 1 << 32):
            _refuse(f"RSA key of {key.key_size} bits or with an odd exponent, must be 2048 to 4096 bits")
    else:
        _refuse("key is neither of an elliptic curve nor RSA")
    # The one usual way of writing a key: no compressed point, no parameters written out, no unused bits.
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) not in certificate.tbs_certificate_bytes:
        _refuse("key is written in an unusual way")


def _check_times(certificate: x509.Certificate) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begin.year not in YEARS or end.year not in YEARS or not begin < end or (end - begin).days > VALID_DAYS_MAX:
        _refuse(f"valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, at most {VALID_DAYS_MAX} days between 2000 and 2100")


def _check_subject(certificate: x509.Certificate) -> None:
    """TLS looks pinned certificates up by subject, so there must be one; it is also what all roots together are made of."""
    for name in (certificate.subject, certificate.issuer):
        if not list(name) or len(name.public_bytes()) > SUBJECT_BYTES_MAX:
            _refuse(f"subject or issuer is empty or longer than {SUBJECT_BYTES_MAX} octets")
        if any(not str(one.value).isprintable() for one in name):
            _refuse("subject or issuer has control characters")


def _folded(name: x509.Name) -> str:
    """Return a name as OpenSSL and its kin compare it (X509_NAME_cmp), or more alike; never less."""
    return "/".join("+".join(sorted(map(_folded_part, part))) for part in name.rdns)


def _folded_part(part: x509.NameAttribute[str | bytes]) -> str:
    return f"{part.oid.dotted_string}={' '.join(str(part.value).lower().split())}"


def _own_key(certificate: x509.Certificate) -> str:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:
        return ""


def _issuers_key(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    return (found or b"").hex()


def _check_extensions(certificate: x509.Certificate) -> None:
    found = list(certificate.extensions)
    if len(found) > EXTENSIONS_MAX:
        _refuse(f"{len(found)} extensions, at most {EXTENSIONS_MAX}")
    for one in found:
        if one.critical and one.oid not in _CRITICAL_KNOWN:
            _refuse(f"critical extension {one.oid.dotted_string} is not known")
        if isinstance(one.value, x509.SubjectAlternativeName):
            _check_names(list(one.value))


def _check_names(names: list[x509.GeneralName]) -> None:
    if not 0 < len(names) <= NAMES_MAX:
        _refuse(f"{len(names)} alternative names, 1 to {NAMES_MAX} are allowed")
    for name in names:
        usable = isinstance(name, x509.IPAddress) or (isinstance(name, x509.DNSName) and DNS_NAME.fullmatch(name.value))
        if not usable:
            _refuse(f"alternative name {str(name.value)[:80]!r} is neither a host name nor an address")


def _check_server_name(certificate: x509.Certificate) -> None:
    name = server_name(certificate)
    if not DNS_NAME.fullmatch(name):
        _refuse(f"no name to ask for it by: {name[:80]!r}")


def server_name(certificate: x509.Certificate) -> str:
    """Return a certificate's last DNS name (ours: the node's id), else its common name; "" if it has neither."""
    dns, _ = alternative_names(certificate)
    return next(iter([*reversed(dns), *common_names(certificate)]), "")
