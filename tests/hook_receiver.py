"""Receivers of webhooks for tests: a real HTTP server on loopback that checks signatures as a vendor's would, and others that misbehave."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


def verified(secret: str, headers: Any, body: bytes, now_s: float) -> dict[str, Any]:
    """Do what deploy/webhook.md tells vendors to do; raise AssertionError for a message that is not the node's."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert any(hmac.compare_digest(right, one) for one in headers["webhook-signature"].split(" "))
    assert abs(now_s - int(headers["webhook-timestamp"])) < 300
    document: dict[str, Any] = json.loads(body)
    return document


class Receiver:
    """An address that takes what is signed with its secret. `answer` says with which status, and with which header fields."""

    def __init__(self, secret: str = "", tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.secret = secret
        self.answer: Callable[[], tuple[int, dict[str, str]]] = lambda: (204, {})
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.documents: list[dict[str, Any]] = []
        self.mistakes: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/hooks/truc?a=1"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def notices(self) -> list[dict[str, Any]]:
        """Each notice once, by its id."""
        return list({n["id"]: n for one in list(self.documents) for n in one["notices"]}.values())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                status, fields = receiver.answer()
                if receiver.secret and status < 300:
                    try:
                        receiver.documents.append(verified(receiver.secret, self.headers, body, time.time()))
                    except AssertionError as error:
                        receiver.mistakes.append(repr(error))
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Rude:
    """An address that answers with octets of the test's choice, and then goes on to send a last piece for ever."""

    def __init__(self, *pieces: bytes, again: bytes = b"", every_s: float = 0.0) -> None:
        self.sent_bytes = 0
        self._pieces = pieces
        self._again = again
        self._every_s = every_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/"

    def __enter__(self) -> "Rude":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            caller, _ = self._listening.accept()
            with caller:
                caller.recv(65_536)
                for piece in self._pieces:
                    caller.sendall(piece)
                while self._again and not self._ended.is_set():
                    caller.sendall(self._again)
                    self.sent_bytes += len(self._again)
                    self._ended.wait(self._every_s)
                self._ended.wait(5)
        except OSError:
            return
