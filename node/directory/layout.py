"""Layout: names of the directory's files, how long signatures live, and how large things may be."""

import re

from node.errors import Broken
from node.model.code import Code
from node.model.reason import Reason

TIMESTAMP = "metadata/timestamp.json"
SNAPSHOT = "metadata/snapshot.json"
TARGETS = "metadata/targets.json"
ROOT = "metadata/root.json"
"""The newest root, for people; the chain is metadata/<n>.root.json."""

EDITIONS = "editions"
"""In a public folder: whole editions beside the files that readers look at first (authority/whole.py)."""

TIMESTAMP_DAYS = 31
SNAPSHOT_DAYS = 365
TARGETS_DAYS = 730
ZONE_DAYS = 730
ROOT_DAYS = 3650
"""How long a signature is accepted in an update. A running node never stops for age (trust/freshness.py)."""

MIB = 1024 * 1024
FILE_BYTES_MAX = 64 * MIB
"""The largest file of the directory; 125,000 units in one zone take about 15 MiB."""
TIMESTAMP_BYTES_MAX = 16 * 1024
ROOT_BYTES_MAX = 500 * 1024
"""While nothing signed says how long they are; python-tuf has the same bounds."""
UNITS_PER_ZONE_MAX = 250_000
ALIASES_PER_ZONE_MAX = 250_000
SHORT_NAMES_MAX = 16
"""Of one unit; each is a word that it is found by."""
UNSEEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""What turns the direction of writing or has no width: a name with it looks like another."""
LEAVES_PER_NODE_MAX = 20_000
ADDRESSES_MAX = 8

SIGNED_TIME_FIELD = "truc_signed_time_ms"
"""In timestamp: when it was signed, milliseconds since 1970 UTC. TUF itself only knows when it expires."""
ROLES_FIELD = "truc_roles"
"""In a delegation: the roles that the authority grants, e.g. ["relay"]."""
SINCE_FIELD = "truc_since"
"""In a delegation: since when the node holds a prefix or leaf, milliseconds since 1970 UTC by code; one that is missing: always."""
FORMER_FIELD = "truc_former"
"""In a delegation: prefixes that the node held before, a list of {"prefix", "from_ms", "until_ms"}."""
LEAVES_FIELD = "truc_leaves"
"""In a delegation: the opaque codes whose units the node may list in its own file."""
FORMER_DAYS = 500
"""How long the authority remembers who held a prefix: longer than any statement from then is judged by it (model/statement.py)."""
CONSENT_LABEL = b"truc prefix consent\0"
"""Stands before what a holder's consent signs (directory.proto, SignedConsent)."""
NAME_FIELD = "truc_name"
"""In root: the authority's name for people."""

_NODE_ID = re.compile(r"[a-z0-9-]{1,64}")
_TUF_ROLES = frozenset({"root", "targets", "snapshot", "timestamp"})
"""Ids that no node may have: its role's file would take the place of TUF's own."""


def check_node_id(node_id: str) -> str:
    """Return the id if it can name a node (and therefore a role and a file). Raises Broken(DIRECTORY_INVALID)."""
    if not _NODE_ID.fullmatch(node_id) or node_id in _TUF_ROLES:
        raise Broken(Reason.DIRECTORY_INVALID, f"not a node id: {node_id[:80]!r}")
    return node_id


def root_path(version: int) -> str:
    """Return the path of one root in the chain of roots."""
    return f"metadata/{version}.root.json"


def role_path(node_id: str) -> str:
    """Return the path of a node's role metadata."""
    return f"metadata/{node_id}.json"


def node_target(node_id: str) -> str:
    """Return the TUF target path of a node's file."""
    return f"nodes/{node_id}"


def zone_target(prefix: Code) -> str:
    """Return the TUF target path of a zone's file."""
    return f"zones/{prefix.text}"


def target_path(target: str) -> str:
    """Return the path under which a target's file lies and travels."""
    return f"targets/{target}"
