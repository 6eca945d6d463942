"""The VXP bridge as the software of a system is told of it: endpoint, systemid, secret; shown once, at creation."""

from typing import Any

from node.cli.output import STRONG, WARNING, facts, text


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
