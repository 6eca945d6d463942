"""Key rings of tests: real keys, made anew in memory. The simulation draws its own from the seed (tests/sim/keys.py)."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.seal.keyring import Keyring


def new_keyring(node_id: str) -> Keyring:
    """Return a key ring with one key of each kind."""
    return Keyring(node_id, [Ed25519PrivateKey.generate()], [X25519PrivateKey.generate()])
