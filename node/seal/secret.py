"""Secrets that have to be known again: they lie on the disk encrypted to this node's own sealing key.

Where a digest suffices (a token that is shown to us) only the digest is kept. A secret with which two sides compute an HMAC must be
known in the clear, so it is locked like everything that is sealed for this node: a fresh key by HPKE to the newest sealing key
(Keys.encapsulate), and the secret under that key, bound to its owner's name. After a change of sealing keys the older ones still open
it. A copy of the file without the node's keys tells nothing.
"""

import json

from node.errors import Broken, Denied
from node.model.reason import Reason
from node.ports import Keys
from node.seal.public import key_id_of
from node.seal.small import open_small, seal_small

_LABEL = b"truc vxp secret\0"


def seal_secret(keys: Keys, public_key: bytes, owner: str, secret: bytes) -> bytes:
    """Lock a secret for the node that holds `public_key` (raw X25519, ours); return the content of its file, as JSON."""
    wrapping_key, encapsulation = keys.encapsulate(public_key)
    fields = {
        "owner": owner,
        "key_id": key_id_of(public_key).hex(),
        "encapsulation": encapsulation.hex(),
        "sealed": seal_small(wrapping_key, _LABEL + owner.encode(), secret).hex(),
    }
    return json.dumps(fields, indent=2).encode() + b"\n"


def open_secret(keys: Keys, owner: str, stored: bytes) -> bytes:
    """Return the secret. Raises Broken(KEY_UNUSABLE) if the file is damaged, another owner's, or not sealed for our keys."""
    try:
        fields = json.loads(stored)
        key_id, encapsulation, sealed = (bytes.fromhex(fields[name]) for name in ("key_id", "encapsulation", "sealed"))
        return open_small(keys.decapsulate(key_id, encapsulation), _LABEL + owner.encode(), sealed)
    except (Denied, ValueError, KeyError, TypeError) as error:
        raise Broken(Reason.KEY_UNUSABLE, f"the secret of {owner} does not open with this node's keys") from error
