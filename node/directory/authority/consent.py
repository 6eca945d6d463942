"""Consent: the holder of a prefix agrees that another node holds a prefix inside it.

Signed by the holder's zone key, which the authority knows from its delegation, it travels in the join request of the other node. What
is there must be right; that it is there, nobody is obliged to yet (issue 13, point 14).
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from node.directory.delegation import key_of_node
from node.directory.grant import Grant
from node.directory.layout import CONSENT_LABEL
from node.directory.rules import refuse
from node.directory.tufapi import Signature, SslibError, Targets
from node.errors import Rejected
from node.model.code import parse_code
from node.model.policy import DAY_MS
from node.model.statement import AHEAD_MAX_MS
from node.wire.truc.v1 import directory_pb2 as pb

GOOD_FOR_MS = 366 * DAY_MS


def check_consents(
    consents: Sequence[pb.SignedConsent], grant: Grant, others: Sequence[Grant], targets: Targets, now_ms: int
) -> None:
    """Raise Broken(DIRECTORY_INVALID) unless each consent is the holder's, recent, for this node and about a prefix inside its own."""
    for signed in consents:
        try:
            consent = pb.PrefixConsent.FromString(signed.consent)
            prefix = parse_code(consent.prefix)
        except (DecodeError, Rejected):
            refuse("consent", "cannot be read")
        where = f"consent to {prefix}"
        holder = next((other for other in others if other.node_id == consent.holder), None)
        if holder is None or not any(prefix != held and prefix.is_under(held) for held in holder.prefixes):
            refuse(where, f"{consent.holder[:80]!r} holds no prefix around it")
        if consent.node_id != grant.node_id or prefix not in grant.prefixes:
            refuse(where, f"is for {consent.node_id[:80]!r}, or for a prefix that is not granted")
        if not now_ms - GOOD_FOR_MS < consent.create_time_ms < now_ms + AHEAD_MAX_MS:
            refuse(where, "was signed more than a year ago, or is yet to come")
        key = key_of_node(targets, holder.node_id)
        try:
            key.verify_signature(Signature(key.keyid, signed.signature.hex()), CONSENT_LABEL + signed.consent)
        except SslibError:
            refuse(where, f"is not signed by {holder.node_id}")
