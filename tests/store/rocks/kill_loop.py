"""The child of the kill loop: takes submissions on stdin, and says on stdout which are durable. It expects to be killed.

    stdin    submit <id>\\n                      the same id may come again after a restart
    stdout   ready\\n, then <id> <how>\\n        how: `new` or `again`

A submission is one row under its id, one row under an arrival number (so that taking it twice would show), and a body whose
octets follow from the id: every fourth one a file, the others in the store.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from node.rows import keys
from node.store.bodies import FileBodies
from node.store.rocks.store import RocksStore

NODE = "bo-noi-vu"


def body_of(identity: str) -> bytes:
    """Return the octets of a submission's body."""
    size = 70_000 + int(identity) % 1_000 if is_large(identity) else 2_000
    return hashlib.sha256(identity.encode()).digest() * (size // 32)


def is_large(identity: str) -> bool:
    """Tell whether the body is kept as a file."""
    return int(identity) % 4 == 0


def row_of(identity: str) -> bytes:
    """Key of a submission."""
    return keys.submission("qlvb", identity)


async def submit(store: RocksStore, bodies: FileBodies, identity: str) -> str:
    """Take a submission once and durably."""
    body = body_of(identity)
    digest = hashlib.sha256(body).digest()

    def fn(tx: Any) -> str:
        if tx.get(row_of(identity)) is not None:
            return "again"
        number = int.from_bytes(tx.get(b"marrivals") or b"", "big") + 1
        tx.put(b"marrivals", number.to_bytes(8, "big"))
        tx.put(b"i" + number.to_bytes(8, "big"), identity.encode())
        if not is_large(identity):
            tx.put(keys.body(digest), body)
        tx.put(row_of(identity), digest)
        return "new"

    if is_large(identity):
        await bodies.put(digest, body)
    return await store.transact(fn)


async def main(home: Path) -> None:
    store = RocksStore.open(home / "db", home / "WITNESS", node_id=NODE)
    assert store.fence is None, store.fence
    bodies = FileBodies(home)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    os.write(1, b"ready\n")

    async def answer(identity: str) -> None:
        how = await submit(store, bodies, identity)
        os.write(1, f"{identity} {how}\n".encode())

    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(answer(line.decode().split()[1]))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
