"""Tokens in the authorization header: read one from a call, make the header for a call."""

from node.net.errors import Context

REFUSAL_DELAY_S = 0.25
"""A refusal of a credential takes at least so long, so that guessing is slow."""


def authorization(context: Context) -> str | None:
    """Return the call's authorization header, or None."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return None


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)
