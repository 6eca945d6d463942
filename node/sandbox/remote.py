"""The way to a running sandbox's own door (node/sandbox/door.py), and how its address is found when nobody says it."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from node.errors import Deferred, Rejected, fault
from node.model.reason import Reason

SANDBOX_VARIABLE = "TRUC_SANDBOX"
"""Names a sandbox's door to the commands that speak with it."""
ANSWER_S = 60.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024


class Remote:
    """A sandbox's door, called over HTTP. Raises Rejected(REQUEST_INVALID) for what is no such address."""

    def __init__(self, endpoint: str) -> None:
        try:
            parts = urlsplit(endpoint)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme != "http" or not host or not port or not parts.path.strip("/"):
            raise Rejected(Reason.REQUEST_INVALID, f"{endpoint!r} is no sandbox's door: http://127.0.0.1:7481/TOKEN is")
        self.endpoint = endpoint.rstrip("/")
        self._host, self._port, self._path = host, port, parts.path.rstrip("/")

    def get(self, name: str) -> dict[str, Any]:
        """Return what the door says. Raises Deferred(PEER_UNREACHABLE) if nobody answers, and the faults that it tells."""
        return self._ask("GET", name, None)

    def post(self, name: str, body: str) -> dict[str, Any]:
        """Ask the door to do something. Raises as `get`."""
        return self._ask("POST", name, body)

    def _ask(self, method: str, name: str, body: str | None) -> dict[str, Any]:
        import http.client

        # Straight to this machine: no proxy has any business here.
        with contextlib.closing(http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)) as connection:
            try:
                connection.request(method, f"{self._path}/{name}", body and body.encode())
                answer = json.loads(connection.getresponse().read(ANSWER_BYTES_MAX))
            except (OSError, http.client.HTTPException) as error:
                told = f"no sandbox answers at {self._host}:{self._port} ({error}); start one: truc sandbox"
                raise Deferred(Reason.PEER_UNREACHABLE, told) from error
            except ValueError as error:
                raise Rejected(Reason.REQUEST_INVALID, f"{self._host}:{self._port} is no sandbox's door") from error
        return _checked(answer)


def _checked(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Rejected(Reason.REQUEST_INVALID, "what answers is no sandbox's door")
    error = answer.get("error")
    if error is not None:
        name = str(error.get("reason", "")) if isinstance(error, dict) else ""
        reason = Reason[name] if name in Reason.__members__ else Reason.REQUEST_INVALID
        raise fault(reason, str(error.get("detail", "")) if isinstance(error, dict) else "")
    return answer


def note(endpoint: str) -> None:
    """Let later commands of this account find the sandbox; where that cannot be written, they are given --endpoint."""
    with contextlib.suppress(OSError):
        _pointer().parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_pointer(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(endpoint)


def forget(endpoint: str) -> None:
    """Let nobody look for a sandbox there any more: it has ended."""
    with contextlib.suppress(OSError):
        if _pointer().read_text("ascii") == endpoint:
            _pointer().unlink()


def noted() -> str:
    """Return the door of the sandbox that was noted last, "" if none is."""
    try:
        return _pointer().read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _pointer() -> Path:
    """Where the newest sandbox of this account is noted."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(runtime or cache) / "truc-hop-cat"
