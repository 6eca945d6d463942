"""truc fetch: bring packets home as files, byte for byte; a fetch that broke off goes on where it stopped."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, now_ms, run_async
from node.cli.output import QUIET, STRONG, console, line, mark, next_steps, tell, text
from node.errors import Broken, Fault
from node.model.code import parse_code
from node.model.office import InboxEntry
from node.model.reason import Reason
from node.office.naming import find_packet, office_of, packet_file_name, whole_inbox
from node.office.packet_file import make_folder
from node.wording import vietnamese
from node.wording.plain import plain
from node.wording.vietnamese import clean

if TYPE_CHECKING:
    from rich.progress import Progress

    from node.net.client import OfficeClient

Fetched = list[tuple[Path, InboxEntry]]
NEW = ".new"
"""Ending of a file that is going to replace another."""


def fetch(
    credential: As,
    packet_id: Annotated[
        str, typer.Argument(help="Mã gói, đủ 32 chữ số hoặc vài chữ số đầu như 'truc inbox' hiện.", metavar="PACKET_ID")
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Ghi vào tệp này.", metavar="FILE")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lấy mọi gói đang chờ.")] = False,
    folder: Annotated[Path, typer.Option("--dir", "-d", help="Ghi vào thư mục này.", metavar="DIR")] = Path(),
    unit: Annotated[str, typer.Option(help="Lấy cho đơn vị này.", metavar="CODE")] = "",
    force: Annotated[bool, typer.Option("--force", help="Ghi đè tệp đã có.")] = False,
    as_json: Json = False,
) -> None:
    """Lấy gói tin về thành tệp, đúng từng byte, đã kiểm mã băm. Gói vẫn ở hộp đến cho tới khi 'truc ack'."""
    if everything == bool(packet_id) or (everything and out is not None):
        raise typer.BadParameter("ghi PACKET_ID (có thể thêm -o FILE), hoặc --all (có thể thêm -d DIR)")
    code = parse_code(unit).text if unit else ""
    fetched, skipped = run_async(_fetch(credential, packet_id, out, folder, code, force, as_json))
    document = {
        "fetched": [{"file": str(path), **plain(entry)} for path, entry in fetched],
        "skipped": [
            {"packet_id": entry.packet_id.hex(), "unit": entry.unit, "reason": reason.name} for entry, reason in skipped
        ],
    }
    ids = " ".join(dict.fromkeys(entry.packet_id.hex() for _, entry in fetched))
    ack = f"truc ack --as {shlex.quote(str(credential))} {ids}"
    tell(
        as_json,
        document,
        lambda: [
            *[_shown(path, entry) for path, entry in fetched],
            *[
                line(mark(None), " ", text(entry.packet_id.hex()), ": ", text(vietnamese.cause(why)))
                for entry, why in skipped
            ],
            *([] if fetched or skipped else [text("Hộp đến trống.")]),
            *([next_steps([("Lưu xong thì xác nhận đã lấy:", ack)])] if 0 < len(fetched) <= 3 else []),
        ],
    )


async def _fetch(
    credential: Path, name: str, out: Path | None, folder: Path, unit: str, force: bool, quiet: bool
) -> tuple[Fetched, list[tuple[InboxEntry, Reason]]]:
    """Fetch one packet, or all; of all, those that somebody else is fetching or that are here already are skipped and told."""
    async with office_of(credential) as office:
        with _bars(quiet) as bars:
            if name:
                return [
                    await _fetch_one(office, bars, await find_packet(office, name, unit), unit, out, folder, force)
                ], []
            make_folder(folder)
            entries, _ = await whole_inbox(office, unit)
            fetched: Fetched = []
            skipped: list[tuple[InboxEntry, Reason]] = []
            for entry in entries:
                path = folder / packet_file_name(entry)
                try:
                    fetched.append(await _fetch_one(office, bars, entry.packet_id, entry.unit, path, folder, force))
                except Fault as fault:
                    if fault.reason not in (Reason.LEASED, Reason.ALREADY_EXISTS):
                        raise
                    skipped.append((entry, fault.reason))
            return fetched, skipped


def _bars(quiet: bool) -> "Progress":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    screen = console(stderr=True)
    return Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal)


async def _fetch_one(
    office: "OfficeClient", bars: "Progress", packet_id: bytes, unit: str, out: Path | None, folder: Path, force: bool
) -> tuple[Path, InboxEntry]:
    path = out or folder / await _name(office, packet_id, unit)
    if path.exists() and not force:
        raise Broken(Reason.ALREADY_EXISTS, f"{path}; --force replaces it")
    make_folder(path.parent)
    aim = path.with_name(path.name + NEW) if path.exists() else path
    bar = bars.add_task(clean(path.name), total=None)
    entry = await office.fetch_to(
        packet_id, aim, unit, progress=lambda done, total: bars.update(bar, completed=done, total=total)
    )
    if aim != path:
        os.replace(aim, path)
    return path, entry


async def _name(office: "OfficeClient", packet_id: bytes, unit: str) -> str:
    entries, _ = await whole_inbox(office, unit)
    entry = next((one for one in entries if one.packet_id == packet_id), None)
    return packet_file_name(entry) if entry else f"{packet_id.hex()}.edxml"


def _shown(path: Path, entry: InboxEntry) -> object:
    left = f", giữ cho bạn tới {vietnamese.when(entry.lease_until_ms)[-8:]}" if entry.lease_until_ms > now_ms() else ""
    return line(
        mark(True), " ", text(path, STRONG), f"  {vietnamese.size(entry.packet_bytes)}, mã băm đúng", text(left, QUIET)
    )
