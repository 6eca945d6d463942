"""Signature of a request: what it covers, and what may be believed.

    XroadVnpt-systemid:    qlvb
    XroadVnpt-sign-header: {"XroadVnpt-systemid":"qlvb","XroadVnpt-docId":"…", …}
    XroadVnpt-hash-header: lower-case hex of HMAC-SHA256(secret, the octets of sign-header as they came)

The order of the members is arbitrary, so the JSON is never built again: the octets of the field itself are signed. Every argument is
taken out of the signed JSON, under its name in exact case; the plain fields beside it, which anybody on the line can change and
which HTTP does not tell apart by case (docid and docId), are not looked at. Method, path and body are not signed; a body is believed
only by a signed digest. There is no nonce and no usable time (the library makes the timestamp once per object, without a zone), so
every operation must be harmless when it is asked twice.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from node.errors import Denied, Rejected
from node.model.office import System
from node.model.reason import Reason

PREFIX = "XroadVnpt-"
ARGUMENT_CHARACTERS_MAX = 64 * 1024

_SYSTEM_ID, _SIGNED, _SIGNATURE = b"xroadvnpt-systemid", b"xroadvnpt-sign-header", b"xroadvnpt-hash-header"
_HEX = re.compile(rb"[0-9a-fA-F]{64}")

Headers = Iterable[tuple[bytes, bytes]]
"""Field names in lower case, values as they came."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request whose signature is right. `arguments` are the signed ones, without the prefix of their names."""

    system: System
    arguments: Mapping[str, str]
    signature: str
    """Lower-case hex. The same text signed again has the same one, so it names a repeat."""

    def argument(self, *names: str) -> str:
        """Return the first of these arguments that is there and not empty, trimmed; "" if none is."""
        return next((text for name in names if (text := self.arguments.get(name, "").strip())), "")

    def required(self, *names: str) -> str:
        """Like `argument`. Raises Rejected(REQUEST_INVALID) if none is there."""
        text = self.argument(*names)
        if not text:
            raise Rejected(Reason.REQUEST_INVALID, f"{PREFIX}{names[0]} is not among the signed header fields")
        return text


def claimed_name(headers: Headers) -> str:
    """Return the system id that a request claims, for the log; "" if there is none or it is none of ours."""
    values = [value for name, value in headers if name == _SYSTEM_ID]
    return values[0].decode("ascii", "replace").strip() if values else ""


class Secrets(Protocol):
    """Knows the secrets of systems; see access/vxp_secrets.py."""

    def secret_of(self, name: str, *, now: bool = False) -> bytes | None: ...


def verify(headers: list[tuple[bytes, bytes]], system_of: Callable[[str], System | None], secrets: Secrets) -> Signed:
    """Return what a request proves. Raises Denied: CREDENTIAL_MISSING if it is not signed, else CREDENTIAL_WRONG."""
    claimed, signed, signature = (_only(headers, name) for name in (_SYSTEM_ID, _SIGNED, _SIGNATURE))
    name, signature = claimed.decode("ascii", "replace").strip(), signature.lower()
    system = system_of(name)
    if system is None:
        # Compute as for a system that exists, so that the time of the answer does not tell which names there are.
        _fits(b"nobody", signed, signature)
        raise Denied(Reason.CREDENTIAL_WRONG, "no such system")
    # If it does not fit, look at the file (`now`): the secret may have been made a moment ago, by another process.
    if not _fits(secrets.secret_of(name), signed, signature) and not _fits(
        secrets.secret_of(name, now=True), signed, signature
    ):
        raise Denied(Reason.CREDENTIAL_WRONG, "the signature is not this system's")
    members = _members(signed)
    if members.get(PREFIX + "systemid", "").strip() != name:
        raise Denied(Reason.CREDENTIAL_WRONG, "the signed system id is another one")
    arguments = {key.removeprefix(PREFIX): text for key, text in members.items() if key.startswith(PREFIX)}
    return Signed(system, arguments, signature.decode("ascii"))


def _fits(secret: bytes | None, signed: bytes, signature: bytes) -> bool:
    if not secret:
        return False
    return hmac.compare_digest(hmac.digest(secret, signed, "sha256").hex().encode(), signature)


def _only(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    values = [value for key, value in headers if key == name]
    if len(values) != 1 or not values[0]:
        raise Denied(Reason.CREDENTIAL_MISSING, f"{len(values)} fields {name.decode()}")
    if name == _SIGNATURE and not _HEX.fullmatch(values[0]):
        raise Denied(Reason.CREDENTIAL_WRONG, "the signature is not 64 hex digits")
    return values[0]


def _members(signed: bytes) -> dict[str, str]:
    """Read the signed JSON: one object of texts, no name twice."""
    try:
        pairs = json.loads(signed.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise Denied(Reason.CREDENTIAL_WRONG, "the signed header fields are not JSON") from error
    if not isinstance(pairs, _Pairs) or not all(isinstance(text, str) for _, text in pairs):
        raise Denied(Reason.CREDENTIAL_WRONG, "the signed header fields are not one object of texts")
    members = dict(pairs)
    if len(members) != len(pairs) or any(len(text) > ARGUMENT_CHARACTERS_MAX for text in members.values()):
        raise Denied(Reason.CREDENTIAL_WRONG, "a signed header field is there twice or too long")
    return members


class _Pairs(list[tuple[str, str]]):
    """The members of a JSON object in their order."""
