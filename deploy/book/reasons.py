"""Writes the table of reasons in 05-tinh-trang-ly-do.md from node/errors.py, so that book and program say the same.

    ./dev run --version && .venv/bin/python deploy/book/reasons.py          # writes; --check only compares

One table for each kind of fault, by who must act. tests/deploy/test_book.py holds the page against it.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).with_name("05-tinh-trang-ly-do.md")
BEGIN, END = "<!-- bảng lý do: do reasons.py ghi, đừng sửa tay -->", "<!-- hết bảng -->"

TITLES = {
    "Rejected": "Nơi gửi phải sửa (mã thoát 65) · the author must act",
    "Denied": "Quản trị của bên gọi phải sửa (77) · the caller's operator must act",
    "Deferred": "Không ai phải làm gì, hệ thống tự thử lại (75) · time",
    "Broken": "Quản trị nút này phải xử lý (78) · this node's operator must act",
}


def tables() -> str:
    """Return all reasons as Markdown."""
    from node.errors import ADVICE, kind_of
    from node.model.reason import Reason

    rows: dict[str, list[str]] = {name: [] for name in TITLES}
    for reason in Reason:
        if reason is not Reason.NONE:
            advice = ADVICE[reason].replace("|", "\\|")
            rows[kind_of(reason).__name__].append(f"| `{reason.name}` | {int(reason)} | {advice} |")
    parts = [
        f"### {title}\n\n| lý do | số | nghĩa là gì, làm gì |\n|---|---|---|\n" + "\n".join(rows[name]) + "\n"
        for name, title in TITLES.items()
    ]
    return "\n".join(parts)


def page() -> str:
    """Return the page as it should be."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    wanted = page()
    if sys.argv[1:] == ["--check"]:
        sys.exit(wanted != PAGE.read_text("utf-8"))
    PAGE.write_text(wanted, "utf-8")
