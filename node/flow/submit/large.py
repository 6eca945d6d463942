"""Large: a packet flows from an office into a file, read and encrypted on its way, instead of lying in the node's memory.

office --chunks--> read, encrypt --> part file --> sealed file
"""

from collections.abc import AsyncIterator
from hashlib import sha256

from node.flow.bodies.files import BodyFiles, require_size
from node.flow.submit.sealing import LargeSeal, Sealed
from node.model.policy import MIB, Policy
from node.ports import Part, Ports


class LargeSubmit:
    """Reads and seals packets as streams."""

    def __init__(self, ports: Ports, policy: Policy, files: BodyFiles) -> None:
        self._ports = ports
        self._policy = policy
        self._files = files

    async def head(self, chunks: AsyncIterator[bytes], size_max: int) -> tuple[bytes, AsyncIterator[bytes] | None]:
        """Return the first octets and the rest of a stream; None as rest if the whole is no larger than `size_max`."""
        head = bytearray()
        async for chunk in chunks:
            head += chunk
            if len(head) > size_max:
                return bytes(head), chunks
        return bytes(head), None

    async def digest(self, head: bytes, rest: AsyncIterator[bytes]) -> bytes:
        """Return the SHA-256 of a whole stream."""
        digest = sha256(head)
        async for chunk in self._bounded(head, rest):
            digest.update(chunk)
        return digest.digest()

    async def seal(self, head: bytes, rest: AsyncIterator[bytes]) -> Sealed:
        """Read and encrypt a stream into a body file. Nothing is left behind if the packet is refused."""
        seal = LargeSeal(self._ports.entropy.token(32), self._ports.clock.now_ms())
        part = await self._ports.bodies.open_part(self._ports.entropy.token(16))
        named: list[bytes] = []
        try:
            await self._feed(seal, part, head)
            async for chunk in self._bounded(head, rest):
                await self._feed(seal, part, chunk)
            tail, sealed = await self._ports.workers.run(MIB, seal.finish)
            await part.write(tail)
            named.append(sealed.body_ref.body_sha256)
            await part.seal(sealed.body_ref.body_sha256)
        except BaseException:
            await part.discard()
            # If we were cancelled while the part got its name, we do not know whether it has it.
            await self._files.drop(named)
            raise
        return sealed

    async def _feed(self, seal: LargeSeal, part: Part, data: bytes) -> None:
        ciphertext = await self._ports.workers.run(len(data), lambda: seal.feed(data))
        if ciphertext:
            await part.write(ciphertext)

    async def _bounded(self, head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size_bytes = len(head)
        require_size(size_bytes, self._policy)
        async for chunk in rest:
            size_bytes += len(chunk)
            require_size(size_bytes, self._policy)
            yield chunk
