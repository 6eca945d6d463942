"""Key files of a node after its first day: a new TLS certificate, a passphrase for all private keys.

A TLS certificate is replaced without a moment in which the others refuse the node (node/seal/next_tls.py). `renew` goes a step, or says
what the next one is:

    CURRENT    good for long enough          nothing; unless it is asked for all the same
    PREPARED   made now, waiting             publish
    WAITING    the directory lacks it        publish, or wait until the authority has published
    READY      the directory lists it        restart the node: it takes the new one
"""

from pathlib import Path

from node.config.settings import Settings
from node.directory.trust.trust import TrustedFolder
from node.model.policy import DAY_MS
from node.ops.home import CERTIFICATE_DAYS, Home, certificate_hosts, describe_anew, passphrase_of
from node.seal import next_tls
from node.seal.files import replace_file
from node.seal.keyring import under_passphrase
from node.seal.tls import create_certificate, load_tls, not_after_ms, write_tls

CURRENT, PREPARED, WAITING, READY = "current", "prepared", "waiting", "ready"
EARLY_MS = 90 * DAY_MS
"""How long before its end a certificate is replaced without being asked twice."""
PASSPHRASE_BYTES_MIN = 32
"""OpenSSL stretches a passphrase only little (node/seal/keyring.py): it has to be a random one, not a word."""


def renew(place: Home, settings: Settings, at_ms: int, *, even_early: bool = False) -> tuple[str, int]:
    """Go a step of the table above; return where we are and until when the certificate that it is about is valid.

    Raises what reading settings, keys, zone and directory raises, and what writing key files raises.
    """
    passphrase = passphrase_of(settings)
    in_use, *waiting = (load_tls(folder, passphrase).certificate_der for folder in next_tls.folders(place.keys))
    if waiting:
        listed = TrustedFolder(place.directory).load().certificates_of(settings.node_id)
        describe_anew(place)
        return READY if waiting[0] in listed else WAITING, not_after_ms(waiting[0])
    if not even_early and not_after_ms(in_use) - at_ms > EARLY_MS:
        return CURRENT, not_after_ms(in_use)
    hosts = certificate_hosts(settings.mesh.advertise, settings.mesh.listen, settings.office.listen)
    made = create_certificate(settings.node_id, hosts, CERTIFICATE_DAYS, at_ms)
    write_tls(next_tls.next_folder(place.keys), made, passphrase)
    describe_anew(place)
    return PREPARED, not_after_ms(made.certificate_der)


def encrypt_keys(place: Home, settings: Settings, new: bytes) -> list[Path]:
    """Write every private key under a new passphrase; return the files that changed.

    Cut short between two files, it may be done again: what is under the new passphrase already stays as it is. Raises
    what reading and writing key files raises, before anything has changed if a key opens with neither.
    """
    now = passphrase_of(settings)
    changed = {path: pem for path in place.private_keys() if (pem := under_passphrase(path, now, new))}
    for path, pem in changed.items():
        replace_file(path, pem)
    return list(changed)
