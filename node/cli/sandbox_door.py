"""Which sandbox a command means: the one at --endpoint, or else the one that runs on this machine."""

from typing import Annotated

import typer

from node.sandbox.remote import SANDBOX_VARIABLE, Remote, noted

Endpoint = Annotated[
    str,
    typer.Option(
        help="Cửa của hộp cát, do 'truc sandbox' in ra; mặc định hộp cát đang chạy trên máy này.",
        envvar=SANDBOX_VARIABLE,
        metavar="URL",
    ),
]


def remote(endpoint: str) -> Remote:
    """Return the sandbox at an address, "" the one that runs here. Raises typer.BadParameter if none was started."""
    found = endpoint or noted()
    if not found:
        raise typer.BadParameter(
            "không có hộp cát nào đang chạy ở đây; hãy chạy 'truc sandbox', hoặc ghi --endpoint URL"
        )
    return Remote(found)
