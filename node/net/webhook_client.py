"""Webhook client: the one HTTP request that leaves a node of its own accord, POST of a signed message (httpcore lives only here).

It is signed as the Standard Webhooks specification (1.0) has it: webhook-signature is "v1," and the base64 of HMAC-SHA256 over
`webhook-id.webhook-timestamp.body`, so that a receiver with the secret knows who speaks, and nobody else can make a message up or change
it; the timestamp (seconds since 1970 UTC) lets the receiver refuse a message that somebody replays later.

The address is outside and may be hostile or broken. One time bounds everything from the name look-up to the answer's status. Only the
header block of the answer is read (h11 bounds it), never the body; redirects are not followed, and proxies of the environment not asked.
"""

import asyncio
import base64
import hmac
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpcore

from node.errors import Broken, Deferred
from node.model.reason import Reason
from node.model.webhook import HookMessage

POST_S = 15.0
RETRY_AFTER_S_MAX = 3_600


class HookClient:
    """Posts messages, each over a connection of its own. `software` goes into User-Agent."""

    def __init__(self, software: str, *, post_s: float = POST_S) -> None:
        self._software = software
        self._post_s = post_s
        self._contexts: dict[str, tuple[object, ssl.SSLContext]] = {}

    async def post(self, url: str, ca_file: str, secret: bytes, message: HookMessage) -> int:
        """Return the status (2xx) with which a message was taken.

        Raises Deferred: HOOK_UNREACHABLE, HOOK_TLS_FAILED, HOOK_REFUSED; Broken: KEY_FILE_MISSING, KEY_UNUSABLE for `ca_file`.
        """
        context = await asyncio.to_thread(self._context, ca_file) if url.startswith("https:") else None
        try:
            async with asyncio.timeout(self._post_s):
                status, retry_after = await self._ask(url, context, secret, message)
        except TimeoutError as error:
            raise Deferred(Reason.HOOK_UNREACHABLE, f"no answer within {self._post_s:g} s") from error
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise _network_fault(error) from error
        except UnicodeError as error:
            raise Deferred(Reason.HOOK_UNREACHABLE, f"no machine is called so: {error}") from error
        except httpcore.ProtocolError as error:
            raise Deferred(Reason.HOOK_REFUSED, f"the answer is not HTTP: {error}") from error
        if 200 <= status < 300:
            return status
        told = " (redirects are not followed)" if 300 <= status < 400 else ""
        raise Deferred(Reason.HOOK_REFUSED, f"HTTP {status}{told}", retry_after_ms=retry_after * 1000)

    async def _ask(
        self, url: str, context: ssl.SSLContext | None, secret: bytes, message: HookMessage
    ) -> tuple[int, int]:
        headers = [
            ("content-type", "application/json"),
            ("user-agent", self._software),
            *signature_headers(secret, message).items(),
        ]
        async with (
            httpcore.AsyncConnectionPool(ssl_context=context, max_connections=1) as pool,
            pool.stream("POST", _target(url), headers=headers, content=message.body) as response,
        ):
            return response.status, _retry_after_s(response.headers)

    def _context(self, ca_file: str) -> ssl.SSLContext:
        """Return the TLS context for an authority's file ("": the machine's own); made again when the file has changed."""
        mark: object = ""
        try:
            if ca_file:
                facts = Path(ca_file).stat()
                mark = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
            known = self._contexts.get(ca_file)
            if known is None or known[0] != mark:
                self._contexts[ca_file] = known = (mark, ssl.create_default_context(cafile=ca_file or None))
        except ssl.SSLError as error:
            raise Broken(Reason.KEY_UNUSABLE, f"{ca_file}: no certificates in PEM") from error
        except OSError as error:
            raise Broken(Reason.KEY_FILE_MISSING, f"{ca_file}: {error.strerror}") from error
        return known[1]


def signature_headers(secret: bytes, message: HookMessage) -> dict[str, str]:
    """Return the three fields by which a receiver knows who speaks."""
    at_s = str(message.time_ms // 1000)
    signed = b".".join([message.message_id.encode(), at_s.encode(), message.body])
    signature = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    return {"webhook-id": message.message_id, "webhook-timestamp": at_s, "webhook-signature": f"v1,{signature}"}


def _target(url: str) -> httpcore.URL:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=path)


def _retry_after_s(headers: list[tuple[bytes, bytes]]) -> int:
    """Return for how long the address asks to be left alone, in seconds; 0: it does not, or not in a number we would follow."""
    told = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return min(int(told), RETRY_AFTER_S_MAX) if told.isdigit() and len(told) < 10 else 0


def _network_fault(error: Exception) -> Deferred:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return Deferred(Reason.HOOK_TLS_FAILED, str(found))
        found = found.__cause__ or found.__context__
    return Deferred(Reason.HOOK_UNREACHABLE, str(error) or type(error).__name__)
