"""A system's credential: everything its software needs to reach the node, in one JSON file that only its owner may read.

{"address": "127.0.0.1:7443", "certificate_pem": "...", "system": "qlvb-h49", "secret": "..."}
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from node.errors import Broken, Denied
from node.model.reason import Reason
from node.seal.files import read_private, replace_file, write_new


@dataclass(frozen=True, slots=True)
class Credential:
    """Where the node is, which certificate it must show, and what the system proves itself with."""

    address: str
    certificate_pem: str
    system: str
    secret: str = field(repr=False)

    @property
    def token(self) -> str:
        """The text that the authorization header carries after "Bearer "."""
        return f"{self.system}.{self.secret}"

    def save(self, path: Path) -> None:
        """Write a new file of mode 0600. Raises Broken(ALREADY_EXISTS), Broken(IO_FAILED), Deferred(DISK_FULL)."""
        write_new(path, self._octets())

    def replace(self, path: Path) -> None:
        """Write the file whole, in place of one that may be there. Raises Broken(IO_FAILED), Deferred(DISK_FULL)."""
        replace_file(path, self._octets())

    def _octets(self) -> bytes:
        fields = {
            "address": self.address,
            "certificate_pem": self.certificate_pem,
            "system": self.system,
            "secret": self.secret,
        }
        return json.dumps(fields, indent=2).encode() + b"\n"

    @classmethod
    def load(cls, path: Path) -> "Credential":
        """Read a file.

        Raises Denied(CREDENTIAL_MISSING) if there is none, Broken(KEY_FILE_EXPOSED) if others can read it,
        Denied(CREDENTIAL_WRONG) if it is something else.
        """
        try:
            fields = json.loads(read_private(path))
            texts = [fields[name] for name in ("address", "certificate_pem", "system", "secret")]
        except Broken as broken:
            if broken.reason is Reason.KEY_FILE_MISSING:
                raise Denied(Reason.CREDENTIAL_MISSING, broken.detail) from broken
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise Denied(Reason.CREDENTIAL_WRONG, f"{path} is not a system's credential") from error
        if not all(isinstance(text, str) and text for text in texts):
            raise Denied(Reason.CREDENTIAL_WRONG, f"{path} lacks a field")
        return cls(*texts)
