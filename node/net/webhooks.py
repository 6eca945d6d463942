"""Telling systems of events over HTTP: the port Hooks, for the addresses that the operator has set (node/access/webhooks.py).

Only the address that stands there is ever called: nothing that a document, a peer or an answer says leads anywhere else.
"""

from collections.abc import Mapping

from node.access.systems import Systems
from node.access.webhooks import HookFile, HookFiles
from node.errors import Fault, Rejected
from node.log import get_logger
from node.model.reason import Reason
from node.model.webhook import Hook, HookMessage
from node.net.webhook_client import HookClient

log = get_logger()


class HttpHooks:
    """The port Hooks over HTTP."""

    def __init__(self, files: HookFiles, systems: Systems, client: HookClient) -> None:
        self._files = files
        self._systems = systems
        self._client = client
        self._mark: object = None
        self._read: dict[str, HookFile] = {}
        self._hooks: Mapping[str, Hook] = {}

    def all(self) -> Mapping[str, Hook]:
        """Return what is set now. A file that cannot be read is reported and leaves its system out."""
        files = self._files.marks()
        # Most nodes have none: then their systems need not be looked at.
        units = {record.system.name: record.system.units for record in self._systems.list()} if files else {}
        mark = (files, frozenset(units.items()))
        if mark != self._mark:
            self._mark = mark
            self._read = {name: found for name in self._files.names() if name in units and (found := self._look(name))}
            self._hooks = {name: Hook(name, units[name], found.set_ms) for name, found in self._read.items()}
        return self._hooks

    async def post(self, system: str, message: HookMessage) -> None:
        """Post a message. Raises Deferred as HookClient.post, Rejected(NOT_FOUND) if the address is not set any more."""
        found = self._read.get(system)
        if found is None:
            raise Rejected(Reason.NOT_FOUND, f"system {system} has no webhook")
        await self._client.post(found.url, found.ca_file, found.secret, message)

    def _look(self, name: str) -> HookFile | None:
        try:
            return self._files.read(name)
        except Fault as fault:
            log.error("hook.unreadable", system=name, reason=fault.reason.name, detail=fault.detail)
            return None
