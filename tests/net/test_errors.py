"""Every fault as a gRPC status and back, and what the transport's own failures mean."""

import grpc
import pytest

from node.errors import ADVICE, Broken, Deferred, Denied, Fault, Rejected, fault
from node.model.reason import Reason
from node.net.errors import DETAIL_CHARACTERS_MAX, describe, fault_of, peer_fault_of, status_of

CODES = {code.value[0]: code for code in grpc.StatusCode}


def over_the_wire(error: Fault) -> grpc.aio.AioRpcError:
    status = status_of(error)
    metadata = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, trailing_metadata=metadata, details=status.details)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NONE])
def test_every_reason_comes_back_as_it_went(reason):
    sent = fault(reason, "why so", retry_after_ms=77)
    for told in (fault_of(over_the_wire(sent)),):
        assert (type(told), told.reason, told.detail, told.retry_after_ms) == (type(sent), reason, "why so", 77)


def test_the_status_speaks_to_programs_that_know_nothing_of_truc():
    status = status_of(Rejected(Reason.PACKET_TOO_LARGE, "700 MiB"))
    assert status.code is grpc.StatusCode.INVALID_ARGUMENT
    assert status.details == f"{ADVICE[Reason.PACKET_TOO_LARGE]} (700 MiB)"


def test_the_largest_status_fits_in_the_headers_of_http2():
    for reason in Reason:
        if reason is not Reason.NONE:
            status = status_of(fault(reason, "ệ" * 5_000))
            percent_encoded = 3 * len(status.details.encode())
            base64 = len(status.trailing_metadata[0][1]) * 4 / 3
            assert percent_encoded + base64 < 7_000
    assert len(describe(Rejected(Reason.EXPIRED, "x" * 999))) < DETAIL_CHARACTERS_MAX + 200


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        ("UNAVAILABLE", "Connection refused", (Deferred, Reason.PEER_UNREACHABLE)),
        ("UNAVAILABLE", "Tls handshake failed (TSI_PROTOCOL_FAILURE)", (Deferred, Reason.PEER_TLS_FAILED)),
        ("UNAVAILABLE", "CERTIFICATE_VERIFY_FAILED", (Deferred, Reason.PEER_TLS_FAILED)),
        ("UNAVAILABLE", "Hostname Verification Check failed.", (Deferred, Reason.PEER_TLS_FAILED)),
        ("UNAVAILABLE", "failed to connect to all addresses; Socket closed", (Deferred, Reason.PEER_TLS_FAILED)),
        ("UNAVAILABLE", "Socket closed", (Deferred, Reason.PEER_UNREACHABLE)),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", (Deferred, Reason.PEER_UNREACHABLE)),
        ("CANCELLED", "", (Deferred, Reason.PEER_UNREACHABLE)),
        ("RESOURCE_EXHAUSTED", "Concurrent RPC limit exceeded!", (Deferred, Reason.PEER_BUSY)),
        ("RESOURCE_EXHAUSTED", "Received message larger than max", (Rejected, Reason.REQUEST_INVALID)),
        ("UNIMPLEMENTED", "Method not found!", (Rejected, Reason.REQUEST_INVALID)),
        ("INTERNAL", "x", (Broken, Reason.IO_FAILED)),
        ("UNAUTHENTICATED", "x", (Denied, Reason.CREDENTIAL_WRONG)),
    ],
)
def test_failures_of_the_transport_have_a_meaning(code, words, expected):
    found = fault_of(grpc.aio.AioRpcError(grpc.StatusCode[code], details=words))
    assert (type(found), found.reason) == expected


def test_only_a_call_that_found_no_connection_is_sure_not_to_have_left():
    words = "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:7443: Failed to connect to remote host: refused"
    for code, text, was_sent in (
        ("UNAVAILABLE", words, False),
        ("UNAVAILABLE", "Socket closed", True),
        ("UNAVAILABLE", "recvmsg: Connection reset by peer", True),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", True),
        ("UNAVAILABLE", "failed to connect to all addresses; Socket closed", True),
    ):
        found = fault_of(grpc.aio.AioRpcError(grpc.StatusCode[code], details=text))
        assert found.was_sent is was_sent, text


def test_details_that_are_not_ours_or_not_readable_are_not_believed():
    for octets in (b"\xff\xff", b"", b"\x08\x03"):
        metadata = grpc.aio.Metadata(("grpc-status-details-bin", octets))
        error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, trailing_metadata=metadata, details="gone")
        assert fault_of(error).reason is Reason.PEER_UNREACHABLE


def test_a_reason_of_a_newer_version_keeps_its_kind():
    class Newer(int):
        name = "NEWER"

    known = Rejected(Reason.EXPIRED)
    known.reason = Newer(39)
    Rejected.advice, kept = property(lambda self: "?"), Rejected.__dict__.get("advice")
    try:
        error = over_the_wire(known)
    finally:
        del Rejected.advice
        assert kept is None
    assert type(fault_of(error)) is Rejected


def test_what_is_broken_at_a_peer_is_not_broken_here():
    found = peer_fault_of(over_the_wire(Broken(Reason.STORE_CORRUPT, "file 7")))
    assert (type(found), found.reason) == (Deferred, Reason.PEER_BUSY)
    assert "STORE_CORRUPT" in found.detail
    for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
        inside = peer_fault_of(grpc.aio.AioRpcError(code, details="mã tra cứu 1"))
        assert (type(inside), inside.reason) == (Deferred, Reason.FAILED_INSIDE)
    assert peer_fault_of(over_the_wire(Denied(Reason.PEER_UNKNOWN))).reason is Reason.PEER_UNKNOWN
