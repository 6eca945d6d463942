"""A client of our own that behaves as the vendor's library does, written from the wire it was seen to speak (vxp.md).

    sdk = Sdk(port, "qlvb", secret)
    said = await sdk.call("getReceivedEdocList", servicetype="eDoc", messagetype="edoc")

Its habits: one object keeps every header field of earlier calls; the timestamp is made with the object and never renewed; fields go
out in the order of a hash table; a digest is written without leading zeros; a body gets one line end more; small POSTs ask for
100-continue and wait three seconds for it; list calls never close their connection; sendEdoc goes over the Java runtime's own pool of
connections and every other call makes a new one; a POST is repeated when a connection dies.
Everything is written octet by octet on a socket, so that hostile requests can be built from the same parts.
"""

import asyncio
import gzip
import hashlib
import hmac
import json
import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PREFIX = "XroadVnpt-"
LISTS = ("getReceivedEdocList", "getSentEdocList", "getAgenciesList", "getAgenciesListQD20", "getSynchronizeUnit")
SMALL = ("getEdoc", "updateStatus", "deleteAgency", "countReceiveEdoc", "countReceiveStatus")


@dataclass
class Said:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    continue_after_s: float | None = None
    """How long the server took to say 100 Continue; None if it was not asked or did not."""

    @property
    def json(self) -> Any:
        self.body.decode("ascii")
        return json.loads(self.body)

    @property
    def ok(self) -> bool:
        said = self.json
        assert isinstance(said["ErrorDesc"], str), said
        return bool(said["status"] == "OK" and said["ErrorCode"] == "0")

    @property
    def code(self) -> str:
        return str(self.json["ErrorCode"])


def unpadded_hex(data: bytes) -> str:
    """Integer.toHexString of each octet: no leading zeros."""
    return "".join(hex(octet)[2:] for octet in hashlib.sha256(data).digest())


def gson(members: Sequence[tuple[str, str]]) -> str:
    """Gson's plain rendering: no spaces, non-ASCII as it is."""
    return json.dumps(dict(members), ensure_ascii=False, separators=(",", ":"))


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass
class Sdk:
    """One service object of the library."""

    port: int
    system: str
    secret: str
    tls: ssl.SSLContext | None = None
    server_name: str = "localhost"
    base: str = "/vxp"
    seed: int = 1
    sticky: dict[str, str] = field(default_factory=dict)
    timestamp: str = ""
    open_lists: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    pools: bool = False
    """True if sendEdoc uses the pool; the owner of the object closes it then, on the same loop."""
    pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    """Idle connections of sendEdoc."""
    attempts: int = 0

    def __post_init__(self) -> None:
        now = datetime.now()
        self.timestamp = self.timestamp or f"{now:%d%m%Y}T{now:%H%M%S}+{now.microsecond // 1000:04d}"

    async def call(self, operation: str, **arguments: str) -> Said:
        """Any operation but sendEdoc, registerAgency and downloadEdoc."""
        body = b"{}" if operation in SMALL else b""
        return await self.ask(self.request(operation, arguments, body, expect=bool(body)), keep=operation in LISTS)

    async def send_edoc(self, packet: bytes, **arguments: str) -> Said:
        arguments = {"servicetype": "eDoc", "messagetype": "edoc", "hash-file": unpadded_hex(packet), **arguments}
        return await self.ask(self.edoc_request(packet, arguments), pooled=self.pools)

    def edoc_request(self, packet: bytes, arguments: dict[str, str]) -> bytes:
        return self.request("sendEdoc", arguments, packet + b"\r\n", content_type="application/octet-stream")

    async def register_agency(self, agency: dict[str, str]) -> Said:
        body = json.dumps(agency, ensure_ascii=False).encode()
        return await self.ask(self.request("registerAgency", {}, body, expect=True))

    async def download_edoc(self, **arguments: str) -> Said:
        return await self.ask(self.request("downloadEdoc", arguments, None, method="GET"))

    def signed_fields(self, arguments: dict[str, str], content_type: str) -> list[tuple[str, str]]:
        """The signed members in a hash table's order, then the signature."""
        self.sticky.update(arguments)
        given = {
            "systemid": self.system,
            **self.sticky,
            "timestamp": self.timestamp,
            "Content-Type": content_type,
        }
        members = [(PREFIX + name, text) for name, text in given.items()]
        random.Random(self.seed).shuffle(members)
        text = gson(members)
        names = ";".join(name.removeprefix(PREFIX) for name, _ in members)
        return [
            *members,
            (PREFIX + "sign-header-key", names),
            (PREFIX + "sign-header", text),
            (PREFIX + "hash-header", sign(self.secret, text)),
        ]

    def request(
        self,
        operation: str,
        arguments: dict[str, str],
        body: bytes | None,
        *,
        method: str = "POST",
        content_type: str = "application/json",
        expect: bool = False,
    ) -> bytes:
        fields = [
            ("Content-Type", content_type),
            *self.signed_fields(arguments, content_type),
            ("User-Agent", "JAVASDKAgent/1.0.0 XRoad/VPCP"),
            (PREFIX + "version", "3.0.201608"),
        ]
        return built(f"{method} {self.base}/{operation} HTTP/1.1", fields, body, expect=expect)

    async def ask(self, request: bytes, *, keep: bool = False, pooled: bool = False, repeats: int = 1) -> Said:
        """Send a request; when the connection dies without an answer, send it again, as the Java runtime does."""
        for attempt in range(repeats + 1):
            self.attempts += 1
            try:
                return await (self._ask_pooled(request) if pooled else self._ask_once(request, keep))
            except (ConnectionError, asyncio.IncompleteReadError):
                if attempt == repeats:
                    raise
        raise AssertionError

    def close_lists(self) -> None:
        """Let go of what list calls left open, as the garbage collector does."""
        for _, writer in self.open_lists:
            writer.close()
        self.open_lists.clear()

    def close(self) -> None:
        """Let go of every connection."""
        self.close_lists()
        for _, writer in self.pool:
            writer.close()
        self.pool.clear()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = self.server_name if self.tls else None
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)

    async def _ask_pooled(self, request: bytes) -> Said:
        reader, writer = self._idle() or await self.connect()
        try:
            writer.write(request)
            await writer.drain()
            said = await read_answer(reader)
        except BaseException:
            writer.close()
            raise
        if said.headers.get("connection") == "close":
            writer.close()
        else:
            self.pool.append((reader, writer))
        return said

    def _idle(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self.pool:
            reader, writer = self.pool.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _ask_once(self, request: bytes, keep: bool) -> Said:
        reader, writer = await self.connect()
        try:
            head, separator, body = request.partition(b"\r\n\r\n")
            waits = b"Expect: 100-continue" in head
            writer.write(head + separator + (b"" if waits else body))
            await writer.drain()
            waited = await _continue(reader) if waits else None
            if waits:
                writer.write(body)
                await writer.drain()
            said = await read_answer(reader)
            said.continue_after_s = waited
            return said
        finally:
            if keep:
                self.open_lists.append((reader, writer))
            else:
                writer.close()


def built(line: str, fields: Sequence[tuple[str, str]], body: bytes | None, *, expect: bool = False) -> bytes:
    """A request in octets."""
    transport = [("Host", "127.0.0.1"), ("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip,deflate")]
    if body is not None:
        transport.insert(0, ("Content-Length", str(len(body))))
    if expect:
        transport.append(("Expect", "100-continue"))
    lines = [line, *(f"{name}: {text}" for name, text in [*fields, *transport])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


async def _continue(reader: asyncio.StreamReader) -> float | None:
    """Wait for 100 Continue as the library does: three seconds, then the body goes out anyhow."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        async with asyncio.timeout(3.0):
            line = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        return None
    assert line.startswith(b"HTTP/1.1 100 "), line
    return loop.time() - begun


async def read_answer(reader: asyncio.StreamReader) -> Said:
    head = "HTTP/1.1 100 "
    while head.startswith("HTTP/1.1 100 "):  # one that came after we had stopped waiting for it
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    body = await _body(reader, headers)
    return Said(int(first.split()[1]), headers, gzip.decompress(body) if "content-encoding" in headers else body)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    assert headers.get("transfer-encoding") == "chunked", headers
    read = bytearray()
    while size := int((await reader.readuntil(b"\r\n")), 16):
        read += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return bytes(read)
