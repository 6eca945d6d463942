"""A trial of certificates by the TLS that will have to live with them: gRPC's own.

gRPC reads its roots one after the other and stops, without a word, at the first that it cannot read; all that follow are strangers
from then on. So whoever wants to know whether a certificate can stand among the roots puts it there, before one that is known to be
good, and shakes hands with that. Many are tried by one handshake; only if it fails are they halved, until the bad ones stand alone.
Outcomes are remembered by digest, so that an edition in which little has changed costs little.
"""

import base64
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from time import time_ns

import grpc

from node.errors import Broken
from node.log import get_logger
from node.model.directory import CertificateNames
from node.model.reason import Reason
from node.seal.certificate import check_certificate
from node.seal.tls import TlsIdentity, create_certificate

log = get_logger()

HANDSHAKE_S = 10.0
"""At most, for one handshake; it takes some milliseconds."""
TOGETHER_MAX = 256
"""Certificates in one handshake: reading n roots takes n² (3,000 take two seconds)."""
REMEMBERED_MAX = 65_536
NOT_READ = (
    "TLS certificate: gRPC cannot read it; create another with 'truc node certificate' and publish the zone again"
)

Shake = Callable[[Sequence[bytes]], bool]
"""Tell whether a handshake succeeds with these certificates (DER) among the server's roots."""


class TlsTrial:
    """Judges certificates: by the profile (node/seal/certificate.py), then by a handshake. For several threads."""

    def __init__(self, shake: Shake | None = None) -> None:
        """Take what shakes hands; None: gRPC on loopback."""
        self._shake = shake or shake_hands
        self._found: dict[bytes, str] = {}
        self._turn = threading.Lock()

    def faults(self, certificates: Collection[bytes]) -> dict[bytes, str]:
        """Return what is wrong with each of those that cannot be used, in words. Blocks: not for the loop.

        Raises Broken(IO_FAILED) if no handshake succeeds even without them: then nothing is known of those not seen before.
        """
        with self._turn:
            new = [der for der in dict.fromkeys(certificates) if _digest(der) not in self._found]
            judged = {der: profile_fault(der) for der in new}
            for some in _batches([der for der, fault in judged.items() if not fault]):
                judged.update(dict.fromkeys(self._unreadable(some), NOT_READ))
            self._remember(judged)
            said = {der: self._found[_digest(der)] for der in certificates}
        return {der: fault for der, fault in said.items() if fault}

    def faults_known(self, certificates: Collection[bytes]) -> dict[bytes, str]:
        """Say the same at once, for gRPC's own threads: of those that were never tried only what the profile says."""
        said = {der: self._found.get(_digest(der)) for der in certificates}
        return {der: fault for der, known in said.items() if (fault := profile_fault(der) if known is None else known)}

    def names(self, der: bytes) -> CertificateNames:
        """Return how TLS looks up a certificate that has no fault. Raises Broken(DIRECTORY_INVALID)."""
        return check_certificate(der)

    def _unreadable(self, ders: list[bytes]) -> list[bytes]:
        if not ders or self._shake(ders):
            return []
        if len(ders) == 1:
            if not self._shake([]):
                raise Broken(Reason.IO_FAILED, "gRPC's TLS could not be tried on this machine")
            return ders
        middle = len(ders) // 2
        return self._unreadable(ders[:middle]) + self._unreadable(ders[middle:])

    def _remember(self, judged: dict[bytes, str]) -> None:
        if len(self._found) + len(judged) > REMEMBERED_MAX:
            self._found.clear()
        self._found.update({_digest(der): fault for der, fault in judged.items()})


@lru_cache(maxsize=1)
def tls_trial() -> TlsTrial:
    """Return the trial of this process: what one part of it has tried, no other needs to try again."""
    return TlsTrial()


def profile_fault(der: bytes) -> str:
    """Return what the profile has against a certificate; "" if nothing."""
    try:
        check_certificate(der)
    except Broken as broken:
        return broken.detail
    return ""


def shake_hands(certificates: Sequence[bytes]) -> bool:
    """Shake hands over loopback with a server whose roots are these certificates (DER) and then its caller's; tell whether it worked."""
    own, caller = _pair()
    roots = b"".join([*map(_pem, certificates), caller.certificate_pem])
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        credentials = grpc.ssl_server_credentials([(own.key_pem, own.certificate_pem)], roots, True)
        try:
            port = server.add_secure_port("127.0.0.1:0", credentials)
        except RuntimeError:
            return False  # not one root was read
        server.start()
        try:
            return _is_let_in(port, own, caller)
        finally:
            server.stop(0)


def _is_let_in(port: int, own: TlsIdentity, caller: TlsIdentity) -> bool:
    """Call something that no server knows: whoever answers so has accepted our certificate."""
    credentials = grpc.ssl_channel_credentials(own.certificate_pem, caller.key_pem, caller.certificate_pem)
    options = [("grpc.ssl_target_name_override", "trial"), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        try:
            channel.unary_unary("/trial/Call", _as_it_is, _as_it_is)(b"", timeout=HANDSHAKE_S)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNIMPLEMENTED)
    return True


def _as_it_is(data: bytes) -> bytes:
    return data


@lru_cache(maxsize=1)
def _pair() -> tuple[TlsIdentity, TlsIdentity]:
    """Return certificates for the trial only, of a server and a caller; their subjects are nobody's."""
    now_ms = time_ns() // 1_000_000
    return create_certificate("trial", [], 3650, now_ms), create_certificate("trial-caller", [], 3650, now_ms)


def _pem(der: bytes) -> bytes:
    """Frame octets as PEM, whatever they are: the library that would do it must not judge here."""
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _batches(ders: list[bytes]) -> Iterator[list[bytes]]:
    return (ders[begin : begin + TOGETHER_MAX] for begin in range(0, len(ders), TOGETHER_MAX))


def _digest(der: bytes) -> bytes:
    return sha256(der).digest()
