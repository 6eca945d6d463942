"""Redaction: every secret of the home is looked for in everything that goes into a bundle, whatever field it may have strayed into.

Known secrets are the contents of the home's own secret files (keys, tokens, passphrase, what systems are recognised by). Beside them go
PEM blocks of any key, and the value that a sentence about a mistaken setting repeats.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.ops.home import Home

if TYPE_CHECKING:
    from node.config.settings import Settings

CUT = "[đã bỏ]"
SECRET_CHARACTERS_MIN = 6
"""A shorter passphrase than this would cut harmless words to pieces; whoever has one has other troubles."""
STRING_CHARACTERS_MIN = 24
FILE_BYTES_MAX = 1024 * 1024
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_REPEATED_VALUE = re.compile(r"\(đang là .*?\)(?=\n|$|\"|\\n)")


class Redactor:
    """Cuts out what must not leave."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = sorted({one for one in secrets if len(one) >= SECRET_CHARACTERS_MIN}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, found))) if found else None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        text = _REPEATED_VALUE.sub(f"(đang là {CUT})", _PEM.sub(CUT, text))
        return self._secrets.sub(CUT, text) if self._secrets else text


def redactor_of(place: Home, settings: "Settings | None") -> Redactor:
    """Return what knows the secrets of a home; files that cannot be read have no secret that we could have told."""
    return Redactor(_secrets_of(place, settings))


def _secrets_of(place: Home, settings: "Settings | None") -> Iterator[str]:
    files = [place.admin_token, *_files(place.keys), *_files(place.zone, "*.pem")]
    if settings is not None:
        files += [path for path in (settings.keys.passphrase_file, settings.vxp.key) if path is not None]
    for path in files:
        if path.suffix != ".crt":
            yield from _spellings(_read(path).strip())
    for path in _files(place.systems_folder):
        yield from _strings_of(_read(path))


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    try:
        return [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""


def _spellings(secret: str) -> Iterator[str]:
    """A secret as it is, as JSON writes it, and line by line (a key in PEM)."""
    yield secret
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield from (
        line for line in secret.splitlines() if not line.startswith("-----") and len(line) >= STRING_CHARACTERS_MIN
    )


def _strings_of(text: str) -> Iterator[str]:
    """The long strings of a file about a connected system: digests, encrypted secrets, addresses with tokens in them."""
    try:
        waiting: list[Any] = [json.loads(text)]
    except ValueError:
        waiting = [text.strip()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and len(one) >= STRING_CHARACTERS_MIN:
            yield one
