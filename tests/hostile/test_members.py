"""An admitted member that does all it may, and what it may not, over the real wire; and what everybody else sees meanwhile."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest

from node.errors import Fault, Rejected
from node.model.mesh import Hello, Parcel, PushItem, PushPacket, PushReceipt, Want
from node.model.policy import MIB
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.wire import codec
from tests.clocks import now_ms
from tests.hostile.evil import Member, raw_call
from tests.hostile.flood import flood
from tests.hostile.others import Others
from tests.mesh.support import run
from tests.real_mesh import RealMesh

MEMORY_MAX_BYTES = 64 * MIB
HEAVY_MEMORY_MAX_BYTES = 192 * MIB
"""Eight pushes of 4 MiB are read at once for one peer, and what is worked on is there several times: 110 to 150 MiB were seen. The promise
of 64 MiB (issue 13) is not kept here yet."""
QUIET_AND_S = 0.5
"""By so much half of the deliveries may be slower on a crowded machine; README.md has the figures of a quiet one."""


@pytest.mark.parametrize(
    ("kind", "calls", "memory_max_bytes"),
    [
        ("wide", 24, MEMORY_MAX_BYTES),
        ("aliased", 24, MEMORY_MAX_BYTES),
        ("heavy", 16, HEAVY_MEMORY_MAX_BYTES),
        ("many", 30, MEMORY_MAX_BYTES),
    ],
)
def test_a_member_that_pushes_all_it_may_slows_itself(
    mesh: RealMesh, kind: str, calls: int, memory_max_bytes: int
) -> None:
    async def story() -> None:
        async with Others(mesh, "g14", "h49") as quiet:
            await quiet.some(5)
        async with Others(mesh, "g14", "h49") as others:
            told = await flood(mesh["evil"].home, "h49", kind, calls=calls, at_once=30)
            assert told["told"] == {"DELIVERED": calls * (64 if kind == "many" else 1)}
            await others.some(3)
        assert not others.account.refused
        assert others.account.memory_bytes < memory_max_bytes, str(others.account)
        assert others.account.at(0.5) < quiet.account.at(0.5) + QUIET_AND_S, str(others.account)

    run(story())


def test_junk_uploads_that_are_never_committed_are_few(mesh: RealMesh) -> None:
    async def story() -> None:
        async with Member(mesh["evil"].home, "h49") as evil, Others(mesh, "g14", "h49") as others:
            told: Counter[str] = Counter()
            for _ in range(150):
                told[await _junk(evil, 200_000)] += 1
            # node/flow/admission.py: PEER_UPLOADS_MAX; octets are shared by what the disk has left.
            assert told == {"put": 64, "PEER_BUSY": 86}
            assert len(list(mesh["h49"].home.rglob("*.part"))) <= 64
            await others.some(3)
        assert not others.account.refused
        assert others.account.disk_bytes < 48 * MIB, str(others.account)

    run(story())


async def _junk(evil: Member, size_bytes: int) -> str:
    """Upload something that is what no envelope says; return how it went."""
    made = evil.packet()
    envelope = codec.decode_envelope(made.parcel.signed_envelope.envelope)
    segments = -(-size_bytes // envelope.body.segment_bytes)
    body = replace(
        envelope.body,
        packet_bytes=size_bytes,
        body_bytes=size_bytes + segments * 16,
        body_sha256=os.urandom(32),
    )
    parcel = Parcel(evil.signed(replace(envelope, body=body)), made.parcel.key_wrap, "h49")
    answer = await evil.peers.offer(evil.target, parcel)
    if not isinstance(answer, Want):
        return answer.reason.name

    async def octets() -> AsyncIterator[bytes]:
        yield bytes(size_bytes)

    await evil.peers.put_body(evil.target, answer.token, 0, octets())
    return "put"


def test_times_without_end_in_all_that_a_member_says_are_answered_and_change_nothing(mesh: RealMesh) -> None:
    async def story() -> None:
        far_ms = 2**62
        async with Member(mesh["evil"].home, "h49") as evil, Others(mesh, "g14", "h49") as others:
            items: list[PushItem] = [
                evil.packet(expire_at_ms=far_ms),
                evil.packet(create_time_ms=far_ms, expire_at_ms=far_ms + 1),
                PushReceipt(
                    evil.receipt(
                        Receipt(bytes(16), bytes(32), "evil", Level.DELIVERED, (Outcome("H49", Reason.NONE),), far_ms)
                    )
                ),
            ]
            answers = await evil.push(items)
            assert [one.reason for one in answers] == [
                Reason.ENVELOPE_MALFORMED,
                Reason.ENVELOPE_MALFORMED,
                Reason.RECEIPT_INVALID,
            ]
            for wall_ms in (far_ms, -far_ms):
                with pytest.raises(Rejected):
                    await evil.peers.hello(evil.target, Hello("evil", 1, 1, wall_ms, 0))
            assert (await evil.peers.hello(evil.target, Hello("evil", 1, 1, 0, 0))).node_id == "h49"
            await others.some(3)
        assert not others.account.refused

    run(story())


def test_a_member_cannot_bring_a_thousand_connections_or_calls(mesh: RealMesh) -> None:
    async def story() -> None:
        async with Member(mesh["evil"].home, "h49") as evil, Others(mesh, "g14", "h49") as others:
            channels = [evil.channel() for _ in range(10)]
            calls = [
                asyncio.ensure_future(raw_call(channels[number % 10], "/truc.v1.MeshService/Push", None))
                for number in range(400)
            ]
            async with asyncio.timeout(30):
                while sum(call.done() for call in calls) < 400 - 32:
                    await asyncio.sleep(0.01)
            assert {call.result() for call in calls if call.done()} == {grpc.StatusCode.UNAVAILABLE}
            await others.some(3)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            for channel in channels:
                await channel.close()
        assert not others.account.refused

    run(story())


def test_a_relay_that_lies_ends_nothing(mesh: RealMesh) -> None:
    """A member plays relay: brings what others have signed, alters it, repeats it, and says that it was delivered."""

    async def story() -> None:
        async with Member(mesh["evil"].home, "h49") as evil, Others(mesh, "g14", "h49") as others:
            made = evil.packet()
            envelope = codec.decode_envelope(made.parcel.signed_envelope.envelope)
            altered = PushPacket(made.parcel, made.body[:-1] + b"\0")
            answers = await evil.push([altered, made, made])
            assert answers[0].receipt is None
            assert answers[0].reason is Reason.BODY_DIGEST_DIFFERS
            assert answers[1].receipt is not None
            assert answers[1].receipt == answers[2].receipt
            digest = made.parcel.signed_envelope.sha256
            for signer, level in (("g14", Level.DELIVERED), ("evil", Level.CUSTODY), ("evil", Level.FAILED)):
                reason = Reason.EXPIRED if level is Level.FAILED else Reason.NONE
                lie = Receipt(envelope.packet_id, digest, signer, level, (Outcome("H49", reason),), now_ms())
                answer = await evil.tell(lie)
                assert answer.reason in (Reason.RECEIPT_INVALID, Reason.NOT_FOUND)
            with pytest.raises(Fault):
                await evil.peers.put_body(evil.target, b"t" * 16, 0, _nothing())
            await others.some(3)
        assert not others.account.refused

    run(story())


async def _nothing() -> AsyncIterator[bytes]:
    yield b"x"
