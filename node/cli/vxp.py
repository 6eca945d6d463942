"""What the software of a system is told about the VXP bridge: endpoint, systemid, secret; shown once, at creation."""

from typing import TYPE_CHECKING, Any

from node.cli.output import STRONG, WARNING, facts, text
from node.ops.home import Home as Place
from node.ops.home import keys_of

if TYPE_CHECKING:
    from node.config.settings import Settings

PATH = "/vxp"
"""As node/web/vxp/build.py serves it."""


def grant(place: Place, name: str) -> dict[str, str]:
    """Make a system's VXP secret, in place of any older one; return what goes into its software's settings.

    Raises Rejected(NOT_FOUND) if there is no such system, and what reading settings and keys raises.
    """
    from node.access.vxp_secrets import VxpSecrets

    settings, keys = place.settings(), keys_of(place)
    secret = VxpSecrets(place.systems_folder, keys).create(name, keys.public_keys().sealing[0])
    return {"endpoint": endpoint(settings), "systemid": name, "secret": secret}


def endpoint(settings: "Settings") -> str:
    """Return the endpoint as software on this machine would write it; "" while the bridge is off."""
    vxp = settings.vxp
    return f"{'https' if vxp.certificate else 'http'}://{vxp.listen}{PATH}" if vxp.listen else ""


def shown(granted: dict[str, str]) -> list[Any]:
    """Return the lines that tell it, and what is still missing."""
    known = granted["endpoint"]
    lines = [
        text("Cầu VXP – ghi vào cấu hình của phần mềm; secret chỉ hiện một lần này:", STRONG),
        facts([("endpoint", known or "chưa mở"), ("systemid", granted["systemid"]), ("secret", granted["secret"])]),
    ]
    if not known:
        lines.append(
            text("! Cầu VXP đang tắt; hãy ghi listen trong mục [vxp] của node.toml rồi khởi động lại.", WARNING)
        )
    return lines
