"""Keys of the process: read at the start, and again when the directory begins to name one that is new.

`truc node keys rotate` makes a key on the disk of a running node and publishes it; as soon as the node's own directory names it, the
node takes it in, without a restart. A key that cannot be read then is told, and the node goes on with those it has.
"""

from node.config.home import Homestead
from node.config.settings import Settings
from node.errors import Fault
from node.log import get_logger
from node.model.directory import Directory
from node.model.reason import Reason
from node.seal.keyring import Keyring, load_keys

log = get_logger()


def passphrase_of(settings: Settings) -> bytes | None:
    """Return what the key files are locked with, from the file that the settings name, or None."""
    path = settings.keys.passphrase_file
    return None if path is None else path.read_bytes().strip()


def take_in(place: Homestead, settings: Settings, keyring: Keyring, directory: Directory) -> None:
    """Take keys from the disk that the directory begins to name (`truc node keys rotate` has made them there)."""
    entry = directory.nodes.get(settings.node_id)
    if entry is None or not keyring.lacks(entry):
        return
    try:
        keyring.take_in(load_keys(place.keys, settings.node_id, passphrase_of(settings)))
    except (Fault, OSError) as error:
        reason = error.reason if isinstance(error, Fault) else Reason.IO_FAILED
        log.warning("keys.refused", reason=reason.name, detail=str(error))
