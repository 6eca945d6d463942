"""Secrets that have to be known again lie encrypted, bound to its owner, and opens with the node's older keys, too."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.errors import Broken
from node.model.reason import Reason
from node.seal.keyring import Keyring
from node.seal.secret import open_secret, seal_secret

OLD = X25519PrivateKey.generate()
SIGN = Ed25519PrivateKey.generate()
KEYS = Keyring("h49", [SIGN], [OLD])
SECRET = "bí mật".encode()


def sealed() -> bytes:
    return seal_secret(KEYS, KEYS.public_keys().sealing[0], "qlvb", SECRET)


def test_a_secret_is_known_again_and_cannot_be_read_off() -> None:
    stored = sealed()

    assert SECRET not in stored
    assert SECRET.hex().encode() not in stored
    assert open_secret(KEYS, "qlvb", stored) == SECRET
    assert sealed() != stored


def test_after_a_change_of_keys_it_still_opens() -> None:
    assert open_secret(Keyring("h49", [SIGN], [X25519PrivateKey.generate(), OLD]), "qlvb", sealed()) == SECRET


def altered(name: str) -> bytes:
    fields = json.loads(sealed())
    fields[name] = ("00" if fields[name][:2] != "00" else "01") + fields[name][2:]
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"[]", b"\xff", altered("key_id"), altered("encapsulation"), altered("sealed")]
)
def test_what_was_damaged_does_not_open(stored: bytes) -> None:
    with pytest.raises(Broken) as refused:
        open_secret(KEYS, "qlvb", stored)
    assert refused.value.reason is Reason.KEY_UNUSABLE


def test_it_opens_for_its_owner_and_its_node_only() -> None:
    for keys, owner in ((KEYS, "other"), (Keyring("h49", [SIGN], [X25519PrivateKey.generate()]), "qlvb")):
        with pytest.raises(Broken):
            open_secret(keys, owner, sealed())
