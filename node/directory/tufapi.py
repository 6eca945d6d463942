"""TUF's API: the names of python-tuf and securesystemslib that this room uses, the one place to look when they change.

Both libraries export them without saying so to mypy (no `__all__`), hence the ignores. tuf.ngclient is not here: it brings an HTTP
client along, and only trust/verify.py needs it.
"""

from securesystemslib.exceptions import Error as SslibError
from securesystemslib.signer import CryptoSigner, Key, Signature, SSlibKey  # type: ignore[attr-defined]
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

__all__ = [
    "BadVersionNumberError",
    "CryptoSigner",
    "DelegatedRole",
    "Delegations",
    "DownloadError",
    "DownloadHTTPError",
    "ExpiredMetadataError",
    "Key",
    "LengthOrHashMismatchError",
    "MetaFile",
    "Metadata",
    "RepositoryError",
    "Root",
    "SSlibKey",
    "Signature",
    "Snapshot",
    "SslibError",
    "TargetFile",
    "Targets",
    "Timestamp",
]
