"""Evil: a hostile wire of our own. It has what the attacker would have, and none of our manners.

Stranger      connects: plain TCP, TLS without a certificate, HTTP/2 without calls; from any address of loopback
raw_call      a gRPC call with any octets and any metadata, for strangers, thieves and members alike
Member        an admitted node's keys in somebody else's hands: signs what it likes, and calls with its true certificate
"""

import os
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from node.config.home import Homestead
from node.directory.trust.trust import TrustedFolder
from node.model.envelope import Envelope, SignedEnvelope
from node.model.mesh import Answer, Parcel, PushItem, PushPacket, PushReceipt
from node.model.receipt import Receipt, SignedReceipt
from node.net.peers import GrpcPeers
from node.net.tls import pinned_channel
from node.net.upload import conduct
from node.seal.keyring import load_keys
from node.seal.public import sealing_key_of
from node.seal.signature import ENVELOPE_LABEL, RECEIPT_LABEL
from node.seal.tls import certificates_der, load_tls
from node.seal.wrap import Wrapper
from node.wire import codec
from tests.clocks import now_ms
from tests.flow.support import envelope_for
from tests.papers import document
from tests.real_mesh import RealNode


class Stranger:
    """Holds connections to a port and does with them what nobody should. All are closed at the end of the block."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._port = port
        self._address = address
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.sockets:
            one.close()

    def connect(self, count: int, *, say: bytes = b"") -> int:
        """Open so many connections more, and say something in each; return how many were made."""
        made = 0
        for _ in range(count):
            one = socket.socket()
            one.settimeout(2.0)
            one.bind((self._address, 0))
            try:
                one.connect(("127.0.0.1", self._port))
                if say:
                    one.sendall(say)
            except OSError:
                one.close()
                continue
            one.setblocking(False)
            self.sockets.append(one)
            made += 1
        return made

    def greet(self, count: int) -> int:
        """Open so many connections with TLS and the HTTP/2 preface, and be silent in them; return how many were made."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        made = 0
        for _ in range(count):
            plain = socket.socket()
            plain.settimeout(5.0)
            plain.bind((self._address, 0))
            try:
                plain.connect(("127.0.0.1", self._port))
                one = context.wrap_socket(plain)
                one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            except OSError:
                plain.close()
                continue
            one.setblocking(False)
            self.sockets.append(one)
            made += 1
        return made

    def open_still(self) -> int:
        """Count the connections that the other side has not closed."""
        return sum(_is_open(one) for one in self.sockets)


def _is_open(one: socket.socket) -> bool:
    try:
        while one.recv(65_536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def office_channel(node: RealNode) -> grpc.aio.Channel:
    """Open a channel to a node's office door, with no credential in it."""
    pem = node.credential.certificate_pem.encode()
    return pinned_channel(node.credential.address, certificates_der(pem), None, [])


async def raw_call(
    channel: grpc.aio.Channel, method: str, octets: bytes | None, token: str = "", timeout_s: float = 20
) -> grpc.StatusCode:
    """Call a method with octets (None: with no request, and without ending); return the code it ends with."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    call = channel.stream_unary(method)(metadata=metadata, timeout=timeout_s)

    async def send() -> None:
        if octets is not None:
            await call.write(octets)
            await call.done_writing()

    try:
        await conduct(call, send())
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


class Member:
    """An admitted node's keys in somebody else's hands, who uses them on one victim. Its home is all that it needs."""

    def __init__(self, home: Path, victim: str) -> None:
        place = Homestead(home)
        self.node_id = home.name
        self.victim = victim
        self.directory = TrustedFolder(place.directory).load()
        self.keys = load_keys(place.keys, self.node_id, None)
        self.identity = load_tls(place.keys, None)
        self.target = self.directory.nodes[victim]
        self.peers = GrpcPeers(self.identity)

    def unit_of(self, node_id: str) -> str:
        """Return a node's first unit: in the meshes of tests it has the code of the prefix."""
        return self.directory.prefixes_of(node_id)[0].text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.peers.close()

    def channel(self) -> grpc.aio.Channel:
        """Open one more line to the victim."""
        return pinned_channel(self.target.mesh_address, self.target.tls_certificates, self.identity, [])

    def packet(self, *, target: str = "", packet: bytes | None = None, **fields: Any) -> PushPacket:
        """Make a packet for a node (the victim), in truth sealed for it, whose envelope says what we like."""
        target = target or self.victim
        own, at_ms = self.unit_of(self.node_id), now_ms()
        recipients = fields.pop("recipient_units", (self.unit_of(target),))
        asked: dict[str, Any] = {
            "origin": self.node_id,
            "origin_node": self.node_id,
            "sender_unit": own,
            "recipient_units": recipients,
            "packet_nonce": os.urandom(16),
            "create_time_ms": at_ms,
            "expire_at_ms": at_ms + 3_600_000,
        }
        paper = document(recipients[0], sender=own) if packet is None else packet
        return self.sealed(*envelope_for(paper, **(asked | fields)), target)

    def sealed(self, envelope: Envelope, body: bytes, target: str = "") -> PushPacket:
        """Sign an envelope and seal its key for a node."""
        signed, target = self.signed(envelope), target or self.victim
        key = sealing_key_of(self.directory.nodes[target], now_ms())
        assert key is not None
        wrap = Wrapper(self.keys, now_ms).wrap(b"k" * 32, target, key, signed.sha256)
        return PushPacket(Parcel(signed, wrap, target), body)

    def signed(self, envelope: Envelope) -> SignedEnvelope:
        """Sign an envelope."""
        octets = codec.encode_envelope(envelope)
        return SignedEnvelope(octets, self.keys.sign(ENVELOPE_LABEL, [octets])[0])

    def receipt(self, receipt: Receipt) -> SignedReceipt:
        """Sign a receipt."""
        octets = codec.encode_receipt(receipt)
        return SignedReceipt(octets, self.keys.sign(RECEIPT_LABEL, [octets])[0])

    async def push(self, items: Iterable[PushItem]) -> list[Answer]:
        """Push to the victim."""
        return await self.peers.push(self.target, list(items))

    async def tell(self, receipt: Receipt) -> Answer:
        """Push a receipt of ours to the victim."""
        [answer] = await self.push([PushReceipt(self.receipt(receipt))])
        return answer
