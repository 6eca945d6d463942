"""truc support-bundle: one zip for whoever helps from afar, with nothing in it that is nobody's business (node/ops/support/)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, now_ms
from node.cli.output import STRONG, WARNING, line, mark, tell, text
from node.errors import Broken
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.wording.plain import in_vietnam

if TYPE_CHECKING:
    from rich.text import Text

    from node.archive.sink import Added

BUNDLE_MODE = 0o600


def support_bundle(
    home: Home,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Tệp .zip để ghi (chưa có).", metavar="PATH")] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(help="Tệp nhật ký của nút, đưa vào sau khi bỏ bớt; ghi được nhiều lần.", metavar="PATH"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Gom một tệp zip để gửi nơi hỗ trợ: kết quả khám, cấu hình, hàng chờ, nhật ký; không có khóa, nội dung, trích yếu, tên người."""
    from node.archive.sink import archive_at
    from node.ops.support.gather import gather

    if not os.path.isdir(home):  # also of a folder that may not be entered
        raise Broken(Reason.HOME_MISSING, str(home))
    path = out or Path(f"truc-support-{in_vietnam():%Y%m%d-%H%M%S}.zip")
    with archive_at(path, as_zip=True) as sink:
        bundle = gather(sink, Place(home), log or [], now_ms())
    path.chmod(BUNDLE_MODE)
    document = {"path": str(path), "files": [one.name for one in sink.added], "problems": bundle.problems}
    tell(as_json, document, lambda: _shown(path, sink.added, bundle.problems))


def _shown(path: Path, files: list["Added"], problems: dict[str, str]) -> list["Text"]:
    lines = [line(mark(True), " Đã ghi ", text(path, STRONG), f", {len(files)} tệp, {path.stat().st_size} byte.")]
    lines += [
        line(mark(None), " Không lấy được ", text(name), ": ", text(why, WARNING)) for name, why in problems.items()
    ]
    lines.append(text("Hãy mở ra đọc trước khi gửi: README.txt nói trong đó có gì."))
    return lines
