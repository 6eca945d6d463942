"""The authorization header: read it from a call, make it for a call."""

from node.net.errors import Context

REFUSAL_DELAY_S = 0.25
"""How long a refusal of a credential takes."""


def authorization(context: Context) -> str | None:
    """Return the call's authorization header, or None."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return None


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)
