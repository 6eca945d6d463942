"""truc doctor: says in words what is missing or wrong, and what to do about it (node/ops/doctor/). Changes nothing."""

from typing import TYPE_CHECKING

import typer

from node.cli.command import Home, Json, now_ms
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, line, mark, table, tell, text
from node.errors import EXIT_OK, Broken
from node.ops.doctor.check import MARKS, Check, State
from node.ops.home import Home as Place

if TYPE_CHECKING:
    from rich.console import RenderableType


def doctor(home: Home, as_json: Json = False) -> None:
    """Khám một nút: còn thiếu gì, sai gì, phải làm gì. Không thay đổi gì cả."""
    from node.ops.doctor.examine import examine, told

    checks = examine(Place(home), now_ms())
    grave = [check for check in checks if check.state is State.WRONG]
    tell(as_json, told(home, checks), lambda: _shown(checks))
    raise typer.Exit(Broken.exit_code if grave else EXIT_OK)


def _shown(checks: list[Check]) -> list["RenderableType"]:
    rows = table(["", "Mục", "Thấy gì, phải làm gì"], whole=["Mục"])
    for one in checks:
        advice = text(f"→ {one.advice}", BAD if one.state is State.WRONG else WARNING)
        said = [line(text(part), "\n") for part in one.said.splitlines()] if one.advice else [text(one.said)]
        rows.add_row(mark(MARKS[one.state]), text(one.title, STRONG), line(*said, advice if one.advice else ""))
    wrong = sum(one.state is State.WRONG for one in checks)
    warned = sum(one.state is State.WARNING for one in checks)
    if wrong:
        verdict = text(f"{wrong} lỗi phải xử lý, {warned} điều cần chú ý.", f"bold {BAD}")
    elif warned:
        verdict = text(f"Chạy được; {warned} điều cần chú ý.", f"bold {WARNING}")
    else:
        verdict = text("Mọi thứ đều ổn.", f"bold {GOOD}")
    return [rows, verdict, text("✓ ổn   ! cần chú ý   ✗ phải xử lý", QUIET)]
