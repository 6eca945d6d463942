"""Key files: made once, closed to others, refused when they are not; HPKE as RFC 9180 says."""

import hmac
import os
import stat
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from node.errors import Broken, Denied
from node.model.directory import NodeEntry, PublicKey
from node.model.reason import Reason
from node.ports import Keys
from node.seal.keyring import add_sealing_key, add_signing_key, create_keys, load_keys, signing_files
from node.seal.public import key_id_of
from node.seal.signature import RECEIPT_LABEL, verify

PASSPHRASE = b"a long random credential"


def refused(folder: Path, passphrase: bytes | None = None) -> Broken:
    with pytest.raises(Broken) as broken:
        load_keys(folder, "tinh-h49", passphrase)
    return broken.value


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_keys_that_were_made_sign_and_open_after_they_were_read_again(tmp_path: Path, passphrase: bytes | None) -> None:
    create_keys(tmp_path / "keys", passphrase)
    keys: Keys = load_keys(tmp_path / "keys", "tinh-h49", passphrase)
    again = load_keys(tmp_path / "keys", "tinh-h49", passphrase)
    public = again.public_keys()
    assert keys.node_id == "tinh-h49"
    assert verify(RECEIPT_LABEL, b"a", keys.sign(RECEIPT_LABEL, [b"a"])[0], public.signing[0])
    wrapping_key, encapsulation = keys.encapsulate(public.sealing[0])
    assert again.decapsulate(key_id_of(public.sealing[0]), encapsulation) == wrapping_key
    assert [len(key) for key in (*public.signing, *public.sealing)] == [32, 32]


def test_key_files_are_closed_to_others_whatever_the_umask_and_hold_no_clear_key_under_a_passphrase(
    tmp_path: Path,
) -> None:
    before = os.umask(0)
    try:
        create_keys(tmp_path / "keys", PASSPHRASE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    files = sorted((tmp_path / "keys").iterdir())
    assert [path.name for path in files] == ["seal-0001.pem", "sign.pem"]
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Broken) as broken:
        create_keys(tmp_path, None)
    assert broken.value.reason is Reason.ALREADY_EXISTS
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["sign.pem", "seal-0001.pem"])
def test_a_missing_key_file_is_named(tmp_path: Path, name: str) -> None:
    create_keys(tmp_path, None)
    (tmp_path / name).unlink()
    broken = refused(tmp_path)
    assert broken.reason is Reason.KEY_FILE_MISSING
    assert name in broken.detail


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    broken = refused(tmp_path / "keys")
    assert broken.reason is Reason.KEY_FILE_MISSING
    assert str(tmp_path / "keys") in broken.detail


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
@pytest.mark.parametrize("name", ["sign.pem", "seal-0001.pem"])
def test_a_key_file_that_others_can_read_or_write_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    create_keys(tmp_path, None)
    (tmp_path / name).chmod(mode)
    broken = refused(tmp_path)
    assert broken.reason is Reason.KEY_FILE_EXPOSED
    assert name in broken.detail
    assert f"{mode:04o}" in broken.detail


def test_a_missing_wrong_or_needless_passphrase_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path / "locked", PASSPHRASE)
    create_keys(tmp_path / "open", None)
    for folder, passphrase in (("locked", None), ("locked", b"wrong"), ("open", PASSPHRASE)):
        assert refused(tmp_path / folder, passphrase).reason is Reason.KEY_UNUSABLE


def test_a_key_of_another_kind_or_no_key_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    sign, seal = (tmp_path / "sign.pem").read_bytes(), (tmp_path / "seal-0001.pem").read_bytes()
    for sign_octets, seal_octets in (
        (seal, seal),
        (sign, sign),
        (b"", seal),
        (b"-----BEGIN", seal),
        (sign, b"\0" * 99_999),
    ):
        (tmp_path / "sign.pem").write_bytes(sign_octets)
        (tmp_path / "seal-0001.pem").write_bytes(seal_octets)
        assert refused(tmp_path).reason is Reason.KEY_UNUSABLE


def test_a_new_sealing_key_comes_first_and_the_old_ones_still_open(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    old = load_keys(tmp_path, "tinh-h49", None)
    (old_public,) = old.public_keys().sealing
    wrapping_key, encapsulation = old.encapsulate(old_public)
    assert add_sealing_key(tmp_path, None).name == "seal-0002.pem"
    new = load_keys(tmp_path, "tinh-h49", None)
    assert new.public_keys().sealing[1:] == (old_public,)
    assert new.public_keys().sealing[0] != old_public
    assert new.public_keys().signing == old.public_keys().signing
    assert new.decapsulate(key_id_of(old_public), encapsulation) == wrapping_key


def test_encapsulations_are_fresh_and_wrong_ones_do_not_open(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    keys = load_keys(tmp_path, "tinh-h49", None)
    public = keys.public_keys().sealing[0]
    one, two = keys.encapsulate(public), keys.encapsulate(public)
    assert one[0] != two[0]
    assert one[1] != two[1]
    short_secret = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM).encrypt(
        b"16 octets, a key", X25519PublicKey.from_public_bytes(public), info=b"truc key wrap v1"
    )
    wrong = [(key_id_of(public), octets) for octets in (b"", bytes(80), one[1][:32] + two[1][32:], short_secret)]
    for key_id, encapsulation in [*wrong, (b"k" * 32, one[1])]:
        with pytest.raises(Denied) as denied:
            keys.decapsulate(key_id, encapsulation)
        assert denied.value.reason is Reason.BODY_UNREADABLE


@pytest.mark.parametrize("public_key", [b"", b"short", bytes(32), b"\1" + bytes(31)])
def test_a_public_key_of_the_directory_that_is_none_is_a_fault(tmp_path: Path, public_key: bytes) -> None:
    create_keys(tmp_path, None)
    with pytest.raises(Broken) as broken:
        load_keys(tmp_path, "tinh-h49", None).encapsulate(public_key)
    assert broken.value.reason is Reason.DIRECTORY_INVALID


def test_nothing_shows_a_key(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    keys = load_keys(tmp_path, "tinh-h49", None)
    shown = repr(keys) + str(keys) + repr(keys.sign(RECEIPT_LABEL, [b"a"]))
    for key in (*keys._sign_keys.values(), *keys._seal_keys.values()):
        secret = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert "tinh-h49" in repr(keys)


def rfc_9180_open(secret_key: bytes, sealed: bytes, info: bytes, aad: bytes, aead_id: int, key_bytes: int) -> bytes:
    """SingleShot Open in base mode, DHKEM(X25519, HKDF-SHA256), written out from RFC 9180 4.1, 5.1 and 6.1."""
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1" + aead_id.to_bytes(2, "big")
    own, enc = X25519PrivateKey.from_private_bytes(secret_key), sealed[:32]

    def extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")

    def expand(suite_id: bytes, key: bytes, label: bytes, context: bytes, size: int) -> bytes:
        labeled = size.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context
        return hmac.digest(key, labeled + b"\1", "sha256")[:size]

    shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
    eae = extract(kem, b"", b"eae_prk", shared)
    secret = expand(kem, eae, b"shared_secret", enc + own.public_key().public_bytes_raw(), 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    prk = extract(suite, secret, b"secret", b"")
    key, nonce = (
        expand(suite, prk, label, context, size) for label, size in ((b"key", key_bytes), (b"base_nonce", 12))
    )
    return AESGCM(key).decrypt(nonce, sealed[32:], aad)


def test_the_reference_in_this_file_opens_the_vector_of_rfc_9180() -> None:
    """RFC 9180 A.1.1 (base mode, AES-128-GCM), sequence number 0."""
    secret_key = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    ciphertext = bytes.fromhex(
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    plaintext = rfc_9180_open(secret_key, enc + ciphertext, info, b"Count-0", aead_id=1, key_bytes=16)
    assert plaintext == b"Beauty is truth, truth beauty"


def test_our_encapsulation_is_hpke_of_rfc_9180_and_nothing_of_our_own(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    keys = load_keys(tmp_path, "tinh-h49", None)
    wrapping_key, encapsulation = keys.encapsulate(keys.public_keys().sealing[0])
    secret_key = next(iter(keys._seal_keys.values())).private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    opened = rfc_9180_open(secret_key, encapsulation, b"truc key wrap v1", b"", aead_id=2, key_bytes=32)
    assert opened == wrapping_key
    assert len(encapsulation) == 80


def entry_with(signing: list[PublicKey], sealing: list[PublicKey]) -> NodeEntry:
    return NodeEntry("tinh-h49", "", "", (), (), tuple(signing), tuple(sealing))


def test_the_ring_signs_with_the_newest_key_whose_time_has_come_and_takes_in_new_ones_from_the_disk(
    tmp_path: Path,
) -> None:
    create_keys(tmp_path, None)
    keys = load_keys(tmp_path, "tinh-h49", None)
    old, sealing = keys.public_keys().signing[0], keys.public_keys().sealing[0]
    now, entry = [100], [entry_with([PublicKey(old, 1)], [PublicKey(sealing, 1)])]
    keys.follow(lambda: entry[0], lambda: now[0])
    assert (keys.signing_key_id, keys.lacks(entry[0]), keys.is_named) == (key_id_of(old), False, True)

    add_signing_key(tmp_path, None)
    new = load_keys(tmp_path, "tinh-h49", None).public_keys().signing[0]
    entry[0] = entry_with([PublicKey(new, 1, 200), PublicKey(old, 1, 0, 300)], [PublicKey(sealing, 1)])
    assert keys.lacks(entry[0])
    keys.take_in(load_keys(tmp_path, "tinh-h49", None))
    assert not keys.lacks(entry[0])
    for at_ms, signs in ((100, old), (199, old), (200, new), (1_000, new)):
        now[0] = at_ms
        assert keys.sign(RECEIPT_LABEL, [b"a"])[0].key_id == key_id_of(signs)
        assert keys.is_named


def test_a_ring_whose_keys_the_directory_does_not_name_knows_it(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    keys = load_keys(tmp_path, "tinh-h49", None)
    [sign], [seal] = keys.public_keys()
    other = PublicKey(b"o" * 32, 1)
    cases = [
        ([PublicKey(sign, 1)], [PublicKey(seal, 1)], True),
        ([other], [PublicKey(seal, 1)], False),
        ([PublicKey(sign, 1)], [other], False),
        ([PublicKey(sign, 1, 0, 99)], [PublicKey(seal, 1)], False),
        ([PublicKey(sign, 1)], [PublicKey(b"o" * 32, 1, 0, 99)], False),
        ([PublicKey(sign, 1)], [PublicKey(b"o" * 32, 1, 101), PublicKey(seal, 1)], True),
    ]
    for signing, sealing, named in cases:
        keys.follow(partial(entry_with, signing, sealing), lambda: 100)
        assert keys.is_named is named
    keys.follow(lambda: None, lambda: 100)
    assert keys.is_named, "not admitted is another matter"


def test_the_first_signing_key_may_go_when_others_have_followed(tmp_path: Path) -> None:
    create_keys(tmp_path, None)
    add_signing_key(tmp_path, None)
    (tmp_path / "sign.pem").unlink()
    assert len(load_keys(tmp_path, "tinh-h49", None).public_keys().signing) == 1
    add_signing_key(tmp_path, None)
    assert [path.name for path in signing_files(tmp_path, None).values()] == ["sign-0003.pem", "sign-0002.pem"]
