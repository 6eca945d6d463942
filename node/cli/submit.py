"""truc submit: hand edXML packets to the node. The same file again gets the first answer again."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import findings, track_lines
from node.cli.command import As, Json, given, run_async
from node.cli.output import BAD, QUIET, STRONG, console, line, mark, next_steps, table, tell, text
from node.errors import ADVICE, EXIT_OK, kind_of
from node.model.office import SubmitResult
from node.model.reason import Reason
from node.office.naming import office_of, submission_id_of
from node.wording import vietnamese
from node.wording.plain import plain
from node.wording.vietnamese import clean

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

Submitted = Sequence[tuple[str, SubmitResult]]


def submit(
    files: Annotated[list[Path], typer.Argument(help="Tệp edXML, gửi nguyên từng byte.", metavar="FILE...")],
    credential: As,
    submission_id: Annotated[
        str,
        typer.Option("--id", help="Mã lần gửi; mặc định lấy từ tên và nội dung tệp nên gửi lại vô hại.", metavar="ID"),
    ] = "",
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Một nơi nhận không phục vụ được thì từ chối cả gói.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Gửi gói tin edXML. Nút trả lời khi gói tin đã nằm chắc trên đĩa."""
    if submission_id and len(files) > 1:
        raise typer.BadParameter("chỉ dùng khi gửi một tệp", param_hint="'--id'")
    submitted = run_async(_submit(files, credential, submission_id, all_or_nothing, as_json))
    tell_submitted("file", [(str(path), result) for path, result in submitted], credential, as_json)


def tell_submitted(what: str, submitted: Submitted, credential: Path, as_json: bool) -> None:
    """Tell what became of packets, each with the name of the file or unit (`what`) it is from or for; ends with the exit code."""
    document = {"results": [{what: name, **plain(result), **_advice(result.reason)} for name, result in submitted]}
    tell(
        as_json,
        document,
        lambda: [*(part for one in submitted for part in _shown(*one)), *_what_next(submitted, credential)],
    )
    raise typer.Exit(exit_code(submitted))


def exit_code(submitted: Submitted) -> int:
    """Return that of the first refusal; 0 if no packet was refused."""
    refusals = [result.reason for _, result in submitted if result.reason]
    return kind_of(refusals[0]).exit_code if refusals else EXIT_OK


async def _submit(
    files: list[Path], credential: Path, submission_id: str, all_or_nothing: bool, quiet: bool
) -> list[tuple[Path, SubmitResult]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    screen = console(stderr=True)
    submitted = []
    async with office_of(credential) as office:
        with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as bars:
            for path in files:
                name = submission_id or submission_id_of(path)
                show = partial(_show_progress, bars, bars.add_task(clean(path.name), total=path.stat().st_size))
                result = await office.submit(path, name, all_or_nothing=all_or_nothing, progress=show)
                submitted.append((path, result))
    return submitted


def _show_progress(bars: "Progress", bar: "TaskID", done: int, total: int) -> None:
    bars.update(bar, completed=done, total=total)


def _advice(reason: Reason) -> dict[str, str]:
    return {"advice": ADVICE[reason]} if reason else {}


def _shown(name: str, result: SubmitResult) -> list["RenderableType"]:
    if result.reason:
        from node.wording.told import words

        advice = ADVICE[result.reason]
        told = words(result.reason, result.detail.removeprefix(advice).strip(" ()"))
        said = [
            line(mark(False), " ", text(Path(name).name, STRONG), ": ", text(given.within(told.sentence), BAD)),
            text(f"  {result.reason.name}" + (f": {told.detail}" if told.detail else ""), QUIET),
        ]
    else:
        said = [
            line(mark(True), " ", text(Path(name).name, STRONG), f": đã nhận, {result.recipients_served} nơi nhận"),
            text(f"  mã gói {result.packet_id.hex()}, mã lần gửi {result.submission_id}", QUIET),
        ]
    found = findings.shown(result.findings) if result.reason else track_lines.finding_lines(result.findings)
    return [*said, *([_refused(result)] if result.refused else []), *found]


def _refused(result: SubmitResult) -> "RenderableType":
    shown = table(["Nơi nhận không gửi được", "Vì sao"], whole=["Nơi nhận không gửi được"])
    for one in result.refused:
        shown.add_row(text(one.code, "yellow"), text(vietnamese.cause(one.reason)))
    return shown


def _what_next(submitted: Submitted, credential: Path) -> list["RenderableType"]:
    sent = [result for _, result in submitted if not result.reason]
    track = f"truc track --as {shlex.quote(str(credential))}"
    return [next_steps([("Theo dõi:", f"{track} {sent[0].packet_id.hex()}")])] if len(sent) == 1 else []
