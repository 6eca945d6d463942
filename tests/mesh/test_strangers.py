"""At the mesh port, over real gRPC and TLS: who is let in, and what a peer with a true certificate may not do all the same."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node.config.home import Homestead
from node.errors import Deferred
from node.model.directory import NodeEntry
from node.model.envelope import Envelope, SignedEnvelope
from node.model.mesh import Answer, Hello, Parcel, PushItem, PushPacket, PushReceipt
from node.model.reason import Reason
from node.net.peers import GrpcPeers
from node.seal.keyring import Keyring
from node.seal.public import sealing_key_of
from node.seal.signature import ENVELOPE_LABEL
from node.seal.tls import TlsIdentity, create_certificate, load_tls
from node.seal.wrap import Wrapper
from node.wire import codec
from tests.clocks import now_ms
from tests.flow.support import envelope_for, receipt_for
from tests.mesh.support import QUICK, directory_of, keys_of, run, whole_inbox
from tests.papers import document
from tests.real_mesh import CENTRE, MINISTRY, PROVINCE, NodeSpec, RealMesh, RealNode

HELLO = Hello("g14", 1, 1, 0, 0)


def identity_of(node: RealNode) -> TlsIdentity:
    return load_tls(Homestead(node.home).keys, None)


@asynccontextmanager
async def calling_as(identity: TlsIdentity) -> AsyncIterator[GrpcPeers]:
    peers = GrpcPeers(identity)
    try:
        yield peers
    finally:
        await peers.close()


def province(mesh: RealMesh) -> NodeEntry:
    return directory_of(mesh["h49"]).nodes["h49"]


async def refused_by_tls(identity: TlsIdentity, target: NodeEntry) -> None:
    async with calling_as(identity) as peers:
        with pytest.raises(Deferred) as refused:
            await peers.hello(target, HELLO)
        assert refused.value.reason is Reason.PEER_TLS_FAILED


async def still_lets_peers_in(mesh: RealMesh) -> None:
    async with calling_as(identity_of(mesh["g14"])) as peers:
        assert (await peers.hello(province(mesh), HELLO)).node_id == "h49"


# --- certificates -------------------------------------------------------------------------------------------------------


def test_a_peer_with_its_pinned_certificate_is_let_in(mesh: RealMesh) -> None:
    run(still_lets_peers_in(mesh))


@pytest.mark.parametrize("name", ["stranger", "g14", "h49", "centre"])
def test_a_certificate_that_the_directory_does_not_name_is_refused_whatever_name_it_bears(
    mesh: RealMesh, name: str
) -> None:
    async def story() -> None:
        forged = create_certificate(name, ["127.0.0.1", "localhost"], 90, now_ms())
        await refused_by_tls(forged, province(mesh))
        await still_lets_peers_in(mesh)

    run(story())


def test_a_server_that_shows_another_certificate_than_the_pinned_one_is_not_spoken_to(mesh: RealMesh) -> None:
    async def story() -> None:
        elsewhere = replace(province(mesh), mesh_address=f"127.0.0.1:{mesh['h37'].mesh_port}")
        await refused_by_tls(identity_of(mesh["g14"]), elsewhere)

    run(story())


@pytest.fixture(scope="module")
def aged_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    """A mesh in which the certificate of h37, named by the directory, has expired."""
    aged = NodeSpec("h37", "H37", ("H37",), certificate_age_days=100)
    made = RealMesh(tmp_path_factory.mktemp("aged"), [MINISTRY, aged], toml=QUICK)
    try:
        made["g14"].start()
        yield made
    finally:
        made.close()


def test_an_expired_certificate_is_refused_though_the_directory_names_it(aged_mesh: RealMesh) -> None:
    async def story() -> None:
        ministry = directory_of(aged_mesh["g14"]).nodes["g14"]
        own = identity_of(aged_mesh["h37"])
        assert own.certificate_der in directory_of(aged_mesh["g14"]).certificates, "it is pinned, only too old"
        await refused_by_tls(own, ministry)
        async with calling_as(identity_of(aged_mesh["g14"])) as peers:
            assert (await peers.hello(ministry, HELLO)).node_id == "g14", "the door is open for others"

    run(story())


# --- a true peer that speaks for others ------------------------------------------------------------------------------------


def push_item(
    mesh: RealMesh, *, origin: str, sender: str, signer: Keyring, recipient: str = "H49.22", nonce: bytes = b"s" * 16
) -> tuple[PushPacket, Envelope]:
    """A packet for the province, signed by whom we like."""
    packet, at_ms = document(recipient, sender=sender), now_ms()
    envelope, body = envelope_for(
        packet,
        origin=origin,
        origin_node=origin,
        sender_unit=sender,
        recipient_units=(recipient,),
        packet_nonce=nonce,
        create_time_ms=at_ms,
        expire_at_ms=at_ms + 3_600_000,
    )
    octets = codec.encode_envelope(envelope)
    signed = SignedEnvelope(octets, signer.sign(ENVELOPE_LABEL, [octets])[0])
    key = sealing_key_of(province(mesh), at_ms)
    assert key is not None
    wrap = Wrapper(signer, now_ms).wrap(b"k" * 32, "h49", key, signed.sha256)
    return PushPacket(Parcel(signed, wrap, "h49"), body), envelope


async def answer_to(mesh: RealMesh, item: PushItem, *, by: str = "g14") -> Answer:
    async with calling_as(identity_of(mesh[by])) as peers:
        [answer] = await peers.push(province(mesh), [item])
        return answer


async def inbox_ids(mesh: RealMesh) -> set[bytes]:
    async with mesh.office("h49") as client:
        return {entry.packet_id for entry in await whole_inbox(client)}


def test_a_peer_in_order_delivers_by_hand(mesh: RealMesh) -> None:
    async def story() -> None:
        # Guards the other tests: their refusals come from the one change each of them makes.
        item, envelope = push_item(mesh, origin="g14", sender="G14", signer=keys_of(mesh["g14"]), nonce=b"0" * 16)
        answer = await answer_to(mesh, item)
        assert answer.receipt is not None
        assert envelope.packet_id in await inbox_ids(mesh)

    run(story())


@pytest.mark.parametrize(
    ("origin", "sender", "signed_by", "reason"),
    [
        ("g14", "H49", "g14", Reason.PEER_SPEAKS_FOR_OTHERS),
        ("g14", "H37", "g14", Reason.PEER_SPEAKS_FOR_OTHERS),
        ("g14", "Z00", "g14", Reason.PEER_SPEAKS_FOR_OTHERS),
        ("h37", "H37", "g14", Reason.ENVELOPE_SIGNATURE_INVALID),
        ("h37", "H37", "h37", Reason.PEER_SPEAKS_FOR_OTHERS),
        ("nobody", "G14", "g14", Reason.PEER_UNKNOWN),
    ],
)
def test_a_peer_that_speaks_for_a_prefix_not_its_own_is_refused(
    mesh: RealMesh, origin: str, sender: str, signed_by: str, reason: Reason
) -> None:
    async def story() -> None:
        before = await inbox_ids(mesh)
        item, _ = push_item(mesh, origin=origin, sender=sender, signer=keys_of(mesh[signed_by]))
        answer = await answer_to(mesh, item)
        assert (answer.receipt, answer.reason) == (None, reason)
        assert await inbox_ids(mesh) == before

    run(story())


def test_only_a_relay_may_bring_what_another_node_has_signed(mesh: RealMesh) -> None:
    async def story() -> None:
        item, envelope = push_item(mesh, origin="g14", sender="G14", signer=keys_of(mesh["g14"]), nonce=b"1" * 16)
        refused = await answer_to(mesh, item, by="h37")
        assert (refused.receipt, refused.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)
        brought = await answer_to(mesh, item, by="centre")
        assert brought.receipt is not None
        assert envelope.packet_id in await inbox_ids(mesh)

    run(story())


def test_the_same_packet_id_with_another_envelope_is_a_conflict(mesh: RealMesh) -> None:
    async def story() -> None:
        keys = keys_of(mesh["g14"])
        first, _ = push_item(mesh, origin="g14", sender="G14", signer=keys, nonce=b"2" * 16)
        other, _ = push_item(mesh, origin="g14", sender="G14", signer=keys, nonce=b"2" * 16, recipient="H49")
        kept = await answer_to(mesh, first)
        assert kept.receipt is not None
        refused = await answer_to(mesh, other)
        assert (refused.receipt, refused.reason) == (None, Reason.ENVELOPE_CONFLICT)
        assert (await answer_to(mesh, first)).receipt == kept.receipt, "and the first answer is given again"

    run(story())


def test_a_forged_receipt_brought_over_the_wire_is_refused(mesh: RealMesh) -> None:
    async def story() -> None:
        item, envelope = push_item(mesh, origin="h49", sender="H49", signer=keys_of(mesh["h49"]), nonce=b"3" * 16)
        octets = item.parcel.signed_envelope.envelope
        forged = receipt_for(octets, envelope.packet_id, signer="h37", by=keys_of(mesh["g14"]))
        answer = await answer_to(mesh, PushReceipt(forged))
        assert answer.reason is Reason.RECEIPT_INVALID
        true_but_strange = receipt_for(octets, envelope.packet_id, signer="g14", by=keys_of(mesh["g14"]))
        answer = await answer_to(mesh, PushReceipt(true_but_strange))
        assert answer.reason is Reason.NOT_FOUND

    run(story())


def test_a_node_of_another_authority_is_a_stranger(mesh: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        other = RealMesh(tmp_path / "other", [CENTRE, PROVINCE])
        await refused_by_tls(identity_of(other["h49"]), province(mesh))

    run(story())
