"""The demo's commune whose software knows the national axis' protocol only (VXP): a small client of its own, as a vendor would write one.

    each argument is a header field XroadVnpt-…; all of them stand once more, as JSON, in a field that is signed by HMAC-SHA256
    a packet is sent as it is, with its SHA-256; what waits is listed, fetched (base64 in JSON), and taken off the list with `done`

Its node is reached by nothing else: what it sends and gets goes through the bridge (node/web/vxp/).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from node.demo.nodes import StoryBroken
from node.demo.world import BRIDGED_UNIT

PREFIX = "XroadVnpt-"
JSON, OCTETS = "application/json", "application/octet-stream"
ANSWER_S = 30.0
DOCUMENTS, STATUSES = "edoc", "status"


@dataclass(slots=True)
class Bridged:
    """The commune's software. `settings`: endpoint, systemid and secret, as the node's operator has given them out."""

    settings: Mapping[str, str]
    drawer: dict[str, bytes] = field(default_factory=dict)
    """Documents that it has got, by DocumentId."""
    statuses: int = 0
    """How many statuses about its own documents it has got."""
    packets: int = 0
    """How many packets went through the bridge, both ways."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, packet: bytes, kind: str = DOCUMENTS) -> bytes:
        """Send a packet; return its packet id, which DocId is. Raises StoryBroken if it is refused."""
        digest = hashlib.sha256(packet).hexdigest()
        arguments = {"from": BRIDGED_UNIT, "servicetype": "eDoc", "messagetype": kind, "hash-file": digest}
        said = await self._ask("sendEdoc", arguments, packet, OCTETS)
        self.packets += 1
        return bytes.fromhex(str(said["DocId"]).replace("-", ""))

    async def collect(self) -> None:
        """Fetch all that waits and take it off the list. One at a time: two would fetch the same."""
        async with self._turn:
            for kind in (DOCUMENTS, STATUSES):
                listed = await self._ask("getReceivedEdocList", {"servicetype": "eDoc", "messagetype": kind}, b"", JSON)
                for row in listed["data"]:
                    await self._fetch(row["docId"], kind)

    async def _fetch(self, docket: str, kind: str) -> None:
        from node.edxml.reader import read_header

        said = await self._ask("getEdoc", {"docId": docket, "filePath": "den"}, b"{}", JSON)
        packet = base64.b64decode(said["data"], validate=True)
        if kind == DOCUMENTS:
            self.drawer[read_header(packet).document_id] = packet
        else:
            self.statuses += 1
        await self._ask("updateStatus", {"docid": docket, "status": "done"}, b"{}", JSON)
        self.packets += 1

    async def _ask(
        self, operation: str, arguments: Mapping[str, str], body: bytes, content_type: str
    ) -> dict[str, Any]:
        return await asyncio.to_thread(self._call, operation, arguments, body, content_type)

    def _call(self, operation: str, arguments: Mapping[str, str], body: bytes, content_type: str) -> dict[str, Any]:
        import http.client

        endpoint = urlsplit(self.settings["endpoint"])
        connection = http.client.HTTPConnection(endpoint.netloc, timeout=ANSWER_S)
        try:
            connection.request("POST", f"{endpoint.path}/{operation}", body, self._signed(arguments, content_type))
            said: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise StoryBroken(f"Cầu VXP không trả lời {operation}.\n{error!r}") from error
        finally:
            connection.close()
        if said["status"] != "OK":
            raise StoryBroken(f"Cầu VXP từ chối {operation}: mã {said['ErrorCode']}, {said['ErrorDesc']}")
        return said

    def _signed(self, arguments: Mapping[str, str], content_type: str) -> dict[str, str]:
        """Return the header fields: the arguments, and their signature over the very text that is sent."""
        timestamp = time.strftime("%d%m%YT%H%M%S+0000")
        given = {
            "systemid": self.settings["systemid"],
            **arguments,
            "timestamp": timestamp,
            "Content-Type": content_type,
        }
        members = {PREFIX + name: text for name, text in given.items()}
        signed = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
        signature = hmac.new(self.settings["secret"].encode(), signed.encode(), hashlib.sha256).hexdigest()
        own = {PREFIX + "sign-header": signed, PREFIX + "hash-header": signature, "Content-Type": content_type}
        return members | own
