"""A certificate that callers trust and its key, as the operator has laid them down: what a door outside of the mesh shows.

Nothing here is pinned: the certificate comes from an authority that the callers' machines trust, and carries the name that they call.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from node.errors import Broken
from node.model.reason import Reason
from node.seal.files import read_private, read_public


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A certificate chain (PEM) that callers trust, and its private key, which only the node's account may read."""

    certificate: Path
    key: Path
    passphrase: bytes | None = None

    def context(self) -> ssl.SSLContext:
        """Return what the server speaks TLS 1.2 and 1.3 with.

        Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED, or KEY_UNUSABLE if the two do not belong together.
        """
        read_private(self.key)
        read_public(self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # A password that is asked for and not there must not be asked for on the terminal.
            context.load_cert_chain(self.certificate, self.key, lambda: self.passphrase or b"")
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise Broken(Reason.KEY_UNUSABLE, f"{self.certificate} and {self.key}: {error}") from error
        return context
