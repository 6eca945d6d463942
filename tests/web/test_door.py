"""The web door: it listens where it was told or says why not, and lets go of everything when it ends."""

import asyncio
import json
import socket

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from node.errors import Broken
from node.model.reason import Reason
from node.web.application import application
from node.web.door import WebDoor
from node.web.protocol import Malformed
from tests.web.sdk import read_answer
from tests.web.support import run

REFUSAL = b'{"status":"FAIL"}'


class Slow:
    """An application that answers when the test lets it."""

    def __init__(self) -> None:
        self.entered, self.released = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.set()
        await self.released.wait()
        await _answer(send)


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer(send)


def door(address: str = "127.0.0.1:0", served: ASGIApp = at_once) -> WebDoor:
    return WebDoor(address, application({"/slow": served}, REFUSAL), None, Malformed(REFUSAL, lambda caller: None))


def test_a_port_that_is_taken_and_an_address_that_is_not_ours_are_told() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with pytest.raises(Broken) as refused:
                await door(f"127.0.0.1:{taken.getsockname()[1]}").start()
            assert refused.value.reason is Reason.PORT_IN_USE
        with pytest.raises(Broken) as refused:
            await door("192.0.2.1:7403").start()
        assert refused.value.reason is Reason.SETTINGS_INVALID

    run(story())


def test_an_end_lets_what_is_being_answered_finish_and_frees_the_port() -> None:
    async def story() -> None:
        slow = Slow()
        made = door(served=slow)
        port = await made.start()
        assert made.url == f"http://127.0.0.1:{port}"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow/ HTTP/1.1\r\nHost: a\r\n\r\n")
        await slow.entered.wait()
        stopping = asyncio.ensure_future(made.stop())
        slow.released.set()
        said = await read_answer(reader)
        await stopping
        assert said.body == b"{}"
        await made.stop()
        with socket.create_server(("127.0.0.1", port)):
            writer.close()
            idle.close()

    run(story())


@pytest.mark.parametrize("path", ["/", "/slow", "/Slow/", "/absent", "/slow/../absent"])
def test_what_is_at_no_place_is_told_in_json_and_never_redirected(path: str) -> None:
    async def story() -> None:
        made = door()
        port = await made.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".encode())
        said = await read_answer(reader)
        assert said.status in (200, 404)
        if said.status == 404:
            assert json.loads(said.body) == json.loads(REFUSAL)
        writer.close()
        await made.stop()

    run(story())
