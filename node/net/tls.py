"""TLS pinned by the directory: no certificate authority, no host names, no revocation lists to run.

A client trusts exactly the certificates that the directory names for the peer it calls. A server trusts, in the
handshake, those of all known peers, and then compares the one presented, octet by octet, with the directory on every
call: a pinned certificate that may sign others must not widen the circle. Validity dates are checked by gRPC itself.

BoringSSL finds a pinned certificate by its issuer's name and key identifier (node/directory/certificates.py): two of one node (old and
new, while keys are exchanged) must carry SubjectKeyIdentifier and AuthorityKeyIdentifier, or only the first is accepted.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import grpc

from node.errors import Broken
from node.log import get_logger
from node.model.directory import Directory
from node.model.reason import Reason
from node.net.tls_trial import TlsTrial, tls_trial
from node.seal.tls import TlsIdentity, certificate_der, pem_from_der, server_name_of

log = get_logger()

LINE_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
"""Options of every channel, to a peer and to one's own node. Our courier, or the client, decides when to try again; without these options
gRPC would leave a node alone for up to two minutes after it has been away for one. min_reconnect_backoff_ms is in truth how long one
attempt to connect may take (mesh.md 1.19)."""


@lru_cache(maxsize=16_384)
def der_of(certificate_pem: bytes) -> bytes:
    """Return the DER of a PEM certificate. Raises Broken(KEY_UNUSABLE) if it is none."""
    return certificate_der(certificate_pem)


@lru_cache(maxsize=16_384)
def name_of(der: bytes) -> str:
    """Return the name to expect of a pinned certificate; "" if it cannot be read or has none, and so cannot be used."""
    try:
        return server_name_of(der).replace("*", "node", 1)
    except Broken:
        return ""


class PinnedRoots:
    """Roots that the mesh server trusts in the handshake; follows the directory without a restart.

    gRPC forgets all roots that follow one that it cannot read, so what the trial has found bad is left out. Nothing is tried here, in
    gRPC's own thread: the start and the directory's feed have done that before.
    """

    def __init__(self, identity: TlsIdentity, current: Callable[[], Directory], trial: TlsTrial | None = None) -> None:
        self._identity = identity
        self._current = current
        self._trial = trial or tls_trial()
        self._given: frozenset[bytes] = frozenset()
        self._told: frozenset[bytes] = frozenset()

    def credentials(self) -> grpc.ServerCredentials:
        """Return server credentials that ask for a client certificate and look here at every handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(self._current()),
            self._fetch,  # type: ignore[arg-type]  # the stubs forget that None means: nothing changed
            require_client_authentication=True,
        )

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the configuration for the next handshake; None: nothing has changed. gRPC calls this in a thread of its own."""
        try:
            directory = self._current()
            return None if frozenset(directory.certificates) == self._given else self._configuration(directory)
        except Exception:
            log.exception("roots.failed")
            return None

    def _configuration(self, directory: Directory) -> grpc.ServerCertificateConfiguration:
        """Our own certificate is among the roots because gRPC refuses an empty list; the directory decides anyway.

        It comes last: should gRPC not be able to read it, nobody follows.
        """
        trusted = frozenset(directory.certificates)
        faults = self._trial.faults_known(trusted)
        self._tell({der: fault for der, fault in faults.items() if der not in self._told}, directory)
        self._told = frozenset(faults)
        pems = [pem_from_der(der) for der in sorted(trusted) if der not in faults]
        roots = b"".join([*pems, self._identity.certificate_pem])
        configuration = grpc.ssl_server_certificate_configuration([_pair(self._identity)], root_certificates=roots)
        self._given = trusted
        return configuration

    def _tell(self, faults: Mapping[bytes, str], directory: Directory) -> None:
        for der, fault in faults.items():
            log.warning("certificate.left_out", peer=directory.certificates[der], detail=fault)


def office_credentials(identity: TlsIdentity) -> grpc.ServerCredentials:
    """Return credentials of a server that proves who it is and asks callers for a token instead of a certificate."""
    return grpc.ssl_server_credentials([_pair(identity)])


def pinned_channel(
    address: str,
    certificates_der: tuple[bytes, ...],
    identity: TlsIdentity | None,
    options: list[tuple[str, int | str]],
    *,
    name_index: int = 0,
) -> grpc.aio.Channel:
    """Open a channel that accepts only a server with one of these certificates, and shows ours if there is one.

    `name_index` chooses among the certificates' names where they differ. Raises Broken(KEY_UNUSABLE) without any.
    """
    names = all_names(certificates_der)
    if not names:
        raise Broken(Reason.KEY_UNUSABLE, f"no usable certificate for {address}")
    roots = b"".join(pem_from_der(der) for der in certificates_der if name_of(der))
    chain = (identity.key_pem, identity.certificate_pem) if identity else (None, None)
    credentials = grpc.ssl_channel_credentials(roots, *chain)
    name = names[name_index % len(names)]
    named = ("grpc.ssl_target_name_override", name)
    return grpc.aio.secure_channel(address, credentials, options=[named, *LINE_OPTIONS, *options])


def all_names(certificates_der: tuple[bytes, ...]) -> list[str]:
    """Return the names of the usable certificates, without repeats, in order."""
    return list(dict.fromkeys(name for name in map(name_of, certificates_der) if name))


def _pair(identity: TlsIdentity) -> tuple[bytes, bytes]:
    return identity.key_pem, identity.certificate_pem
