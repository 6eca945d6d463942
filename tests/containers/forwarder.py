"""A long line: a TCP forwarder that gives everything on after a while. Run within a host's network:

    forwarder.py PORT DELAY_MS

The host's iptables send it what was meant for others (lines.py); SO_ORIGINAL_DST says for whom. Its own calls bear a mark, so
that they are not sent to it again. It stands in for the kernel's netem, which many machines lack.
"""

import asyncio
import socket
import struct
import sys
from collections import deque

SO_ORIGINAL_DST = 80
MARK = 0x7A
CHUNK_BYTES = 64 * 1024
UNDER_WAY_BYTES_MAX = 4 * 1024 * 1024


def meant_for(one: socket.socket) -> tuple[str, int]:
    """Return whom a redirected connection was meant for."""
    port, address = struct.unpack("!2xH4s8x", one.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
    return socket.inet_ntoa(address), port


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Give octets on, each after `delay_s`, in order, with a bound on what is under way."""
    loop, line = asyncio.get_running_loop(), deque[tuple[float, bytes]]()
    more, room = asyncio.Event(), asyncio.Event()

    async def take() -> None:
        while True:
            chunk = await reader.read(CHUNK_BYTES)
            line.append((loop.time() + delay_s, chunk))
            more.set()
            if not chunk:
                return
            while sum(len(one) for _, one in line) > UNDER_WAY_BYTES_MAX:
                room.clear()
                await room.wait()

    async def give() -> None:
        while True:
            while not line:
                more.clear()
                await more.wait()
            due_s, chunk = line[0]
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            line.popleft()
            room.set()
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()

    await asyncio.gather(take(), give())


async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Serve one connection."""
    far: asyncio.StreamWriter | None = None
    try:
        outgoing = socket.socket()
        outgoing.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        outgoing.setblocking(False)
        await asyncio.get_running_loop().sock_connect(outgoing, meant_for(writer.get_extra_info("socket")))
        far_reader, far = await asyncio.open_connection(sock=outgoing)
        await asyncio.gather(carry(reader, far, delay_s), carry(far_reader, writer, delay_s))
    except OSError:
        pass  # one end has hung up; the other end is told by closing
    finally:
        for one in (writer, far):
            if one is not None:
                one.transport.abort()


async def serve(port: int, delay_s: float) -> None:
    server = await asyncio.start_server(lambda r, w: connect(r, w, delay_s), "0.0.0.0", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]) / 1000))
