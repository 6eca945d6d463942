"""Webhooks of systems, as an operator sees them: the addresses that are set, a trial message, and how the running node's telling goes.

Address and secret lie in the node's folder, so they are set whether the node runs or not; how it goes only the running node knows.
"""

import asyncio
import secrets
import time

from node import __version__
from node.access.systems import check_name
from node.access.webhooks import HookFile, HookFiles
from node.errors import Fault, Rejected
from node.model.reason import Reason
from node.model.webhook import HookView
from node.net.webhook_client import HookClient
from node.ops.home import Home, keys_of
from node.wire.webhook import trial_message

ASK_S = 5.0


def files_of(place: Home) -> HookFiles:
    """Return the files of addresses and secrets. Raises what reading settings and keys raises."""
    return HookFiles(place.systems_folder, keys_of(place))


def webhook_of(place: Home, name: str) -> HookFile:
    """Return what is set for a system. Raises Rejected(NOT_FOUND) if nothing is."""
    check_name(name)
    found = files_of(place).read(name)
    if found is None:
        raise Rejected(
            Reason.NOT_FOUND, f"system {name} has no webhook; set it: truc system webhook set HOME {name} URL"
        )
    return found


def addresses(place: Home) -> dict[str, str]:
    """Return what is set, by system: its address, or "" where the file cannot be read."""
    files = files_of(place)
    return {name: _address(files, name) for name in files.names()}


def _address(files: HookFiles, name: str) -> str:
    try:
        found = files.read(name)
    except Fault:
        return ""
    return found.url if found is not None else ""


async def asked(place: Home) -> dict[str, HookView] | None:
    """Ask the running node how the telling goes, by system; None if it does not run, or does not answer."""
    try:
        async with asyncio.timeout(ASK_S), place.admin() as admin:
            return {view.system: view for view in await admin.list_hooks()}
    except (Fault, TimeoutError):
        return None


async def try_out(place: Home, name: str, found: HookFile, now_ms: int) -> tuple[int, float]:
    """Post a trial message; return the status of the answer, and after how many seconds it came. Raises as HookClient.post."""
    message = trial_message(name, place.settings().node_id, secrets.token_hex(16), now_ms)
    began_s = time.monotonic()
    status = await HookClient(f"truc {__version__}").post(found.url, found.ca_file, found.secret, message)
    return status, time.monotonic() - began_s
