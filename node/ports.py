"""Ports: all that the house needs from outside. Real ones are built in process/assembly.py, simulated ones in tests/sim/.

The code between the ports (flow/, node.py) is plain asyncio and pure functions: it never imports grpc, rocksdict, threading, time,
random, os or uuid. So tests/sim/ can run the real node under virtual time from one seed.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from node.model.directory import Directory, NodeEntry
from node.model.envelope import Signature
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.office import FoundUnit
from node.model.webhook import Hook, HookMessage

T = TypeVar("T")


class Timer(Protocol):
    """A call that is to come, e.g. asyncio's TimerHandle."""

    def cancel(self) -> None:
        """Let it not come; nothing happens if it has come."""
        ...


class Clock(Protocol):
    """Time. Wall time is for people, expiry and records; monotonic time is for waiting."""

    def now_ms(self) -> int:
        """Return wall time in milliseconds since 1970 UTC. May jump."""
        ...

    def monotonic_ms(self) -> int:
        """Return milliseconds since some moment of this process. Never jumps, and goes on while the machine runs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait by monotonic time."""
        ...

    def call_later(self, seconds: float, fn: Callable[[], None]) -> "Timer":
        """Let the loop call `fn` when so much monotonic time has passed; it costs less than a task that sleeps."""
        ...


class Entropy(Protocol):
    """Randomness."""

    def token(self, size_bytes: int) -> bytes:
        """Return octets fit for keys."""
        ...

    def jitter(self) -> float:
        """Return a number from 0 to 1 for spreading retries; not for keys."""
        ...


class Tx(Protocol):
    """One transaction's view of the store: reads see its own writes. Keys come from node/rows/keys.py."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what `get` would for each key, in order; cheaper than one by one."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove a key; nothing happens if it is absent."""
        ...

    def scan(self, prefix: bytes, *, start: bytes = b"", limit: int) -> list[tuple[bytes, bytes]]:
        """Return up to `limit` rows whose key begins with `prefix` and is not below `start`, in order of key."""
        ...


class Store(Protocol):
    """The durable store. Law 1 (write, make durable, then speak) is a property of `transact`.

    The first octet of a key tells tables whose rows may be large (keys.BODY, bodies up to 64 KiB); the store may keep them elsewhere,
    but in the same transaction.
    """

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` once over a consistent view and return its result when everything it wrote and everything it read is durable.

        `fn` is synchronous, quick and free of side effects: it may be run again (a stalled or conflicting write). An exception
        from `fn` writes nothing and passes through. Raises Deferred(DISK_FULL), Deferred(STORE_STALLED) or
        Deferred(NODE_FENCED) (only for transactions that write), and nothing is written then.
        """
        ...

    async def close(self) -> None:
        """Make everything durable and release the files. Transactions that cannot end before get Deferred(SHUTTING_DOWN)."""
        ...


class Part(Protocol):
    """A body being written. Its durable octets survive a crash; `Bodies.open_part` with the same token finds them again."""

    @property
    def size_bytes(self) -> int:
        """How many octets have been written."""
        ...

    @property
    def durable_bytes(self) -> int:
        """How many octets are durable; an upload resumes here. Advances every 8 MiB and on `sync`."""
        ...

    async def write(self, data: bytes) -> None:
        """Append. Raises Deferred(DISK_FULL); what was written before stays."""
        ...

    async def sync(self) -> None:
        """Make everything written so far durable."""
        ...

    async def seal(self, body_sha256: bytes) -> None:
        """Check the digest of everything written, make it durable and give it its name (fsync, rename, fsync the folder).

        Raises Denied(BODY_DIGEST_DIFFERS) and discards the part if the digest differs. Sealing a body that exists is harmless.
        """
        ...

    async def replace(self, body_sha256: bytes) -> None:
        """Do as `seal` for a body whose file is damaged: the part takes its name, and what had it is kept apart for people to look at."""
        ...

    async def close(self) -> None:
        """Let go of the file; the part stays for a later `open_part`."""
        ...

    async def discard(self) -> None:
        """Remove the part."""
        ...


class Bodies(Protocol):
    """Large bodies, as files named by their SHA-256. Small ones live in the store (keys.body)."""

    async def put(self, body_sha256: bytes, data: bytes) -> None:
        """Store a whole body at once, durably. Harmless if it is there. Raises Deferred(DISK_FULL)."""
        ...

    async def open_part(self, token: bytes) -> Part:
        """Begin a part, or go on with the one of that token (what was not durable is cut off)."""
        ...

    async def has(self, body_sha256: bytes) -> bool:
        """Tell whether a sealed body is there."""
        ...

    async def read(self, body_sha256: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        """Return octets of a sealed body, fewer at its end. Raises Broken(STORE_CORRUPT) if it is missing."""
        ...

    async def remove(self, body_sha256: bytes) -> None:
        """Remove a sealed body; harmless if absent."""
        ...

    async def sweep(self, older_than_s: float) -> int:
        """Remove parts that nobody has open and that were last written so long ago; return how many."""
        ...

    async def parts(self) -> list[bytes]:
        """Return the tokens of parts that nobody has open."""
        ...

    async def remove_part(self, token: bytes) -> bool:
        """Remove a part unless somebody has it open; return whether it is gone."""
        ...

    async def old(self, shelf: int, older_than_s: float) -> list[bytes]:
        """Return the sealed bodies whose digest begins with the octet `shelf` and that were written so long ago or longer."""
        ...


class Keys(Protocol):
    """This node's private keys; they never leave it."""

    @property
    def node_id(self) -> str:
        """The node whose keys these are."""
        ...

    @property
    def signing_key_id(self) -> bytes:
        """The name (Signature.key_id) of the key that signs now; another one when the directory says so."""
        ...

    def sign(self, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
        """Sign 1 to 4,096 statements with one private-key operation (RFC 6962 tree over them); signatures in order."""
        ...

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Make a fresh 32-octet wrapping key for the holder of an X25519 public key; return (wrapping key, encapsulation)."""
        ...

    def decapsulate(self, key_id: bytes, encapsulation: bytes) -> bytes:
        """Return the wrapping key that somebody encapsulated for this node. Raises Denied(BODY_UNREADABLE)."""
        ...


class Peers(Protocol):
    """The other nodes. Every call is bounded in time and may be repeated.

    All raise Deferred (PEER_UNREACHABLE, PEER_TLS_FAILED, PEER_BUSY …) when the peer gave no answer, and Denied
    (PEER_UNKNOWN, RELAY_NOT_ALLOWED …) when it refused the call as a whole.
    """

    async def hello(self, peer: NodeEntry, hello: Hello) -> Hello:
        """Introduce ourselves; also the health probe."""
        ...

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        """Hand over up to 64 items; as many answers, in order."""
        ...

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        """Announce a large packet."""
        ...

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Upload from an offset on; return how many octets are durable at the peer."""
        ...

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        """Say that the upload is complete."""
        ...

    def fetch_body(
        self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield octets of a body of which the peer has a copy, from an offset on; what comes is not verified, and may end anywhere.

        Raises Rejected: NOT_FOUND if the peer does not give it, REQUEST_INVALID if it is older and knows no such call. Close it.
        """
        ...


class Workers(Protocol):
    """Runs long computations, so that the loop stays free."""

    def run(self, weight_bytes: int, fn: Callable[[], T]) -> Awaitable[T]:
        """Compute `fn()`; at once if it handles few octets, else in a thread."""
        ...


class DirectorySource(Protocol):
    """The directory as it is trusted now."""

    def current(self) -> Directory:
        """Return the newest verified snapshot (model.directory.EMPTY if there is none)."""
        ...

    async def search(self, query: str, limit: int) -> list[FoundUnit]:
        """Find units by code (either written form, or its beginning) or by words of a name, the best first."""
        ...


class Hooks(Protocol):
    """The addresses at which systems want to be told of events (webhooks), as the operator has set them."""

    def all(self) -> Mapping[str, Hook]:
        """Return those that are set now, by system; the same object as long as nothing has changed. Must be quick: it is asked often."""
        ...

    async def post(self, system: str, message: HookMessage) -> None:
        """Post a signed message to a system's own address, bounded in time; returns when it was taken (2xx).

        Raises Deferred: HOOK_UNREACHABLE, HOOK_TLS_FAILED, or HOOK_REFUSED (with `retry_after_ms` if the address named a time); and
        Broken (KEY_FILE_MISSING, KEY_UNUSABLE …) if the address or its secret cannot be read.
        """
        ...


_PLENTY = 1 << 60


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports together, as a node is given them; except Hooks, which only the notifier asks."""

    clock: Clock
    entropy: Entropy
    store: Store
    bodies: Bodies
    keys: Keys
    peers: Peers
    workers: Workers
    directory: DirectorySource
    free_bytes: Callable[[], int] = lambda: _PLENTY
    """Tells how many octets are free on the disk; quick."""
