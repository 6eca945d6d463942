"""Odd certificates: taken apart as DER, changed in one place, signed again, so that nothing but that place is wrong.

What a library would not write is written here by hand. Each has the same key pair as the sound one it was made from.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return one DER element."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Return the elements that follow each other, as (tag, content)."""
    found = []
    while data:
        tag, size, at = data[0], data[1], 2
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        found.append((tag, data[at : at + size]))
        data = data[at + size :]
    return found


@dataclass
class Parts:
    """The fields of a TBSCertificate as whole elements, to be changed."""

    version: bytes
    serial: bytes
    algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    key: bytes
    extensions: list[bytes]
    outer_algorithm: bytes = b""
    more: bytes = b""

    def signed(self) -> bytes:
        """Put it together and sign it."""
        extensions = tlv(0xA3, tlv(0x30, *self.extensions)) if self.extensions else b""
        tbs = tlv(
            0x30, self.version, self.serial, self.algorithm, self.issuer, self.validity, self.subject, self.key,
            extensions, self.more,
        )  # fmt: skip
        signature = tlv(0x03, b"\0" + KEY.sign(tbs, ec.ECDSA(SHA256())))
        return tlv(0x30, tbs, self.outer_algorithm or self.algorithm, signature)


def parts(node_id: str = "evil") -> Parts:
    """Return a sound certificate's parts."""
    outer = split(split(sound(node_id))[0][1])
    fields = [tlv(tag, content) for tag, content in split(outer[0][1])]
    extensions = [tlv(tag, content) for tag, content in split(split(split(fields[7])[0][1])[0][1])]
    return Parts(*fields[:7], extensions)


def builder(node_id: str = "evil", key: object = None) -> x509.CertificateBuilder:
    """Return a builder of a sound certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id)])
    public = (key or KEY).public_key()  # type: ignore[attr-defined]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(4711)
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(node_id)]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )


def sound(node_id: str = "evil") -> bytes:
    """Return a certificate with nothing odd about it."""
    return builder(node_id).sign(KEY, SHA256()).public_bytes(Encoding.DER)


def _signed_by(key: object, algorithm: HashAlgorithm | None) -> bytes:
    return builder(key=key).sign(key, algorithm).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def _changed(**fields: bytes) -> bytes:
    found = parts()
    for name, value in fields.items():
        setattr(found, name, value)
    return found.signed()


def _extended(*more: bytes, without: int | None = None) -> bytes:
    found = parts()
    kept = [one for number, one in enumerate(found.extensions) if number != without]
    found.extensions = [*kept, *more]
    return found.signed()


def oid(*octets: int) -> bytes:
    """Return an object identifier from its encoded octets."""
    return tlv(0x06, bytes(octets))


def extension(id_octets: tuple[int, ...], value: bytes, *, critical: bool = False) -> bytes:
    """Return one extension with any content."""
    return tlv(0x30, oid(*id_octets), b"\x01\x01\xff" if critical else b"", tlv(0x04, value))


SAN, BASIC, KEY_USAGE, NAME_CONSTRAINTS, SKI = (
    (0x55, 29, 17),
    (0x55, 29, 19),
    (0x55, 29, 15),
    (0x55, 29, 30),
    (0x55, 29, 14),
)
_SAN_AT = 1


def _san(value: bytes) -> bytes:
    return _extended(extension(SAN, value), without=_SAN_AT)


def _key_info(algorithm: bytes, public: bytes) -> bytes:
    return tlv(0x30, tlv(0x30, algorithm), tlv(0x03, b"\0" + public))


def _ec_point() -> bytes:
    return KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


_EC = oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1)
_P256 = oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7)
_RSA = oid(0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 1)


def _name(tag: int, value: bytes) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, oid(0x55, 4, 3), tlv(tag, value))))


def _rsa_info(modulus: int, exponent: int) -> bytes:
    def integer(number: int) -> bytes:
        return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))

    return _key_info(_RSA + b"\x05\0", tlv(0x30, integer(modulus), integer(exponent)))


def _validity(*times: tuple[int, bytes]) -> bytes:
    return tlv(0x30, *(tlv(tag, value) for tag, value in times))


UTC, GENERALIZED = 0x17, 0x18
_FROM, _TO = (UTC, b"261101000000Z"), (UTC, b"271101000000Z")

ODD: dict[str, Callable[[], bytes]] = {
    "trailing octets after the certificate": lambda: sound() + b"\0\0",
    "trailing octets inside the TBS": lambda: _changed(more=b"\x05\0"),
    "version 1 with extensions": lambda: _changed(version=b""),
    "version 1 said, with extensions": lambda: _changed(version=tlv(0xA0, b"\x02\x01\x00")),
    "version 2 with extensions": lambda: _changed(version=tlv(0xA0, b"\x02\x01\x01")),
    "version 5": lambda: _changed(version=tlv(0xA0, b"\x02\x01\x04")),
    "negative serial": lambda: _changed(serial=tlv(0x02, b"\x80\x01")),
    "serial zero": lambda: _changed(serial=tlv(0x02, b"\0")),
    "serial of 21 octets": lambda: _changed(serial=tlv(0x02, b"\x01" * 21)),
    "serial of 8000 octets": lambda: _changed(serial=tlv(0x02, b"\x01" * 8000)),
    "serial not minimal": lambda: _changed(serial=tlv(0x02, b"\0\0\1")),
    "length not minimal": lambda: _changed(serial=b"\x02\x81\x01\x05"),
    "outer algorithm differs": lambda: _changed(outer_algorithm=tlv(0x30, oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3))),
    "unknown signature algorithm": lambda: _changed(algorithm=tlv(0x30, oid(0x2A, 3, 4))),
    "signature algorithm with NULL": lambda: _changed(algorithm=tlv(0x30, oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2), b"\x05\0")),
    "Ed25519 key": lambda: _signed_by(ed25519.Ed25519PrivateKey.generate(), None),
    "DSA key": lambda: _signed_by(dsa.generate_private_key(1024), SHA256()),
    "EC P-224": lambda: _signed_by(ec.generate_private_key(ec.SECP224R1()), SHA256()),
    "EC P-521": lambda: _signed_by(ec.generate_private_key(ec.SECP521R1()), SHA256()),
    "EC secp256k1": lambda: _signed_by(ec.generate_private_key(ec.SECP256K1()), SHA256()),
    "EC brainpool": lambda: _signed_by(ec.generate_private_key(ec.BrainpoolP256R1()), SHA256()),
    "RSA 1024": lambda: _signed_by(rsa.generate_private_key(65537, 1024), SHA256()),
    "signed with SHA-1": lambda: _changed(algorithm=tlv(0x30, oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1))),
    "RSA modulus of 16384 bits": lambda: _changed(key=_rsa_info((1 << 16383) | 1, 65537)),
    "RSA exponent 1": lambda: _changed(key=_rsa_info((1 << 2047) | 1, 1)),
    "RSA exponent even": lambda: _changed(key=_rsa_info((1 << 2047) | 1, 4)),
    "RSA exponent of 2000 bits": lambda: _changed(key=_rsa_info((1 << 2047) | 1, (1 << 2000) | 1)),
    "RSA modulus even": lambda: _changed(key=_rsa_info(1 << 2047, 65537)),
    "RSA key is no DER": lambda: _changed(key=_key_info(_RSA + b"\x05\0", b"junk")),
    "EC point off the curve": lambda: _changed(key=_key_info(_EC + _P256, b"\x04" + b"\1" * 64)),
    "EC point at infinity": lambda: _changed(key=_key_info(_EC + _P256, b"\0")),
    "EC point compressed": lambda: _changed(
        key=_key_info(_EC + _P256, KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    ),
    "EC without curve": lambda: _changed(key=_key_info(_EC, _ec_point())),
    "EC curve NULL": lambda: _changed(key=_key_info(_EC + b"\x05\0", _ec_point())),
    "EC unknown curve": lambda: _changed(key=_key_info(_EC + oid(0x2A, 3, 4), _ec_point())),
    "EC explicit parameters": lambda: _changed(key=_key_info(_EC + tlv(0x30, b"\x02\x01\x01"), _ec_point())),
    "unknown key algorithm": lambda: _changed(key=_key_info(oid(0x2A, 3, 4), b"x" * 32)),
    "key with unused bits": lambda: _changed(key=tlv(0x30, tlv(0x30, _EC, _P256), tlv(0x03, b"\3" + _ec_point()[:-1] + b"\0"))),
    "SAN is no DER": lambda: _san(b"junk"),
    "SAN empty octets": lambda: _san(b""),
    "SAN empty sequence": lambda: _san(tlv(0x30)),
    "SAN with trailing octets": lambda: _san(tlv(0x30, tlv(0x82, b"evil")) + b"\0\0"),
    "SAN name not ASCII": lambda: _san(tlv(0x30, tlv(0x82, "nút".encode()))),
    "SAN name with NUL": lambda: _san(tlv(0x30, tlv(0x82, b"evil\0.gov.vn"))),
    "SAN name empty": lambda: _san(tlv(0x30, tlv(0x82, b""))),
    "SAN IP of 5 octets": lambda: _san(tlv(0x30, tlv(0x87, b"12345"))),
    "SAN unknown kind": lambda: _san(tlv(0x30, tlv(0x8E, b"x"))),
    "SAN other name broken": lambda: _san(tlv(0x30, tlv(0xA0, b"x"))),
    "SAN directory name broken": lambda: _san(tlv(0x30, tlv(0xA4, b"junk"))),
    "SAN of 1500 names": lambda: _san(tlv(0x30, *(tlv(0x82, f"n{number}".encode()) for number in range(1500)))),
    "SAN name of 9000 letters": lambda: _san(tlv(0x30, tlv(0x82, b"a" * 9000))),
    "SAN twice": lambda: _extended(extension(SAN, tlv(0x30, tlv(0x82, b"other")))),
    "no SAN": lambda: _extended(without=_SAN_AT),
    "basic constraints are no DER": lambda: _extended(extension(BASIC, b"junk", critical=True), without=0),
    "basic constraints say false": lambda: _extended(extension(BASIC, tlv(0x30, b"\x01\x01\x00"), critical=True), without=0),
    "key usage is no DER": lambda: _extended(extension(KEY_USAGE, b"junk", critical=True)),
    "key usage empty": lambda: _extended(extension(KEY_USAGE, tlv(0x03, b"\0"), critical=True)),
    "name constraints are no DER": lambda: _extended(extension(NAME_CONSTRAINTS, b"junk", critical=True)),
    "unknown critical extension": lambda: _extended(extension((0x2A, 3, 4), b"x", critical=True)),
    "unknown extension": lambda: _extended(extension((0x2A, 3, 4), b"x")),
    "extension with critical FALSE written out": lambda: _extended(
        tlv(0x30, oid(0x2A, 3, 4), b"\x01\x01\x00", tlv(0x04, b"x"))
    ),
    "critical TRUE written as 1": lambda: _extended(tlv(0x30, oid(0x2A, 3, 4), b"\x01\x01\x01", tlv(0x04, b"x"))),
    "extensions empty": lambda: _changed(more=tlv(0xA3, tlv(0x30)), extensions=[]),  # type: ignore[arg-type]
    "unique identifiers": lambda: _before_extensions(tlv(0x81, b"\0x") + tlv(0x82, b"\0x")),
    "subject in T61String": lambda: _changed(subject=_name(0x14, b"evil\xe9")),
    "subject in BMPString of odd length": lambda: _changed(subject=_name(0x1E, b"abc")),
    "subject in UniversalString": lambda: _changed(subject=_name(0x1C, "evil".encode("utf-32-be"))),
    "subject in UniversalString of odd length": lambda: _changed(subject=_name(0x1C, b"abc")),
    "subject in broken UTF-8": lambda: _changed(subject=_name(0x0C, b"\xff\xfe")),
    "subject is an integer": lambda: _changed(subject=_name(0x02, b"\x01")),
    "subject in PrintableString with forbidden letters": lambda: _changed(subject=_name(0x13, b"evil@*\xff")),
    "subject empty": lambda: _changed(subject=tlv(0x30)),
    "subject with an empty set": lambda: _changed(subject=tlv(0x30, tlv(0x31))),
    "subject of 9000 letters": lambda: _changed(subject=_name(0x0C, b"a" * 9000)),
    "issuer empty": lambda: _changed(issuer=tlv(0x30)),
    "times: month 13": lambda: _changed(validity=_validity((UTC, b"261301000000Z"), _TO)),
    "times: 30 February": lambda: _changed(validity=_validity((UTC, b"260230000000Z"), _TO)),
    "times: without seconds": lambda: _changed(validity=_validity((UTC, b"2611010000Z"), _TO)),
    "times: with an offset": lambda: _changed(validity=_validity((UTC, b"261101000000+0700"), _TO)),
    "times: fractions": lambda: _changed(validity=_validity((GENERALIZED, b"20261101000000.5Z"), _TO)),
    "times: year 0": lambda: _changed(validity=_validity((GENERALIZED, b"00000101000000Z"), _TO)),
    "times: year 9999": lambda: _changed(validity=_validity(_FROM, (GENERALIZED, b"99991231235959Z"))),
    "times: generalized before 2050": lambda: _changed(validity=_validity((GENERALIZED, b"20261101000000Z"), _TO)),
    "times: end before beginning": lambda: _changed(validity=_validity(_TO, _FROM)),
    "times: one only": lambda: _changed(validity=_validity(_FROM)),
    "times: 24 o'clock": lambda: _changed(validity=_validity((UTC, b"261101240000Z"), _TO)),
    "times: leap second": lambda: _changed(validity=_validity((UTC, b"261101235960Z"), _TO)),
    "signature empty": lambda: _without_signature(),
    "indefinite length": lambda: b"\x30\x80" + split(sound())[0][1] + b"\0\0",
    "no certificate": lambda: b"\x30\x03abc",
    "16 KiB of zeros": lambda: b"\x30" + bytes(16_000),
}  # fmt: skip
"""Every way of being odd that we thought of, by what is odd."""


def _before_extensions(more: bytes) -> bytes:
    found = parts()
    found.key += more
    return found.signed()


def _without_signature() -> bytes:
    outer = [tlv(tag, content) for tag, content in split(split(sound())[0][1])]
    return tlv(0x30, outer[0], outer[1], tlv(0x03, b"\0"))


def squatting(victim: bytes) -> bytes:
    """Return a sound certificate that TLS takes for the issuer of the victim's: its issuer's name in capitals, and no key identifier."""
    issuer = x509.load_der_x509_certificate(victim).issuer
    capitals = x509.Name([x509.NameAttribute(one.oid, str(one.value).upper()) for one in issuer])
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(capitals)
        .issuer_name(capitals)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("evil")]), False)
    )
    return made.sign(key, SHA256()).public_bytes(Encoding.DER)
