"""truc ack: packets that are safely stored leave the inbox."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.output import line, mark, tell
from node.model.code import parse_code
from node.office.naming import find_packet, office_of

IDS_PER_CALL = 1_000


def ack(
    packet_ids: Annotated[
        list[str], typer.Argument(help="Mã gói, đủ 32 chữ số hoặc vài chữ số đầu.", metavar="PACKET_ID...")
    ],
    credential: As,
    unit: Annotated[str, typer.Option(help="Chỉ cho đơn vị này.", metavar="CODE")] = "",
    as_json: Json = False,
) -> None:
    """Xác nhận đã lưu xong: gói tin rời hộp đến. Xác nhận lại vô hại."""
    code = parse_code(unit).text if unit else ""
    found, acknowledged = run_async(_acknowledge(credential, packet_ids, code))
    already = acknowledged == 0
    tell(
        as_json,
        {"packet_ids": [one.hex() for one in found], "acknowledged": acknowledged},
        lambda: [
            line(mark(None), " Không có gì để xác nhận: đã xác nhận trước đó, hoặc không phải của hệ thống này")
            if already
            else line(mark(True), f" Đã xác nhận {acknowledged} gói tin")
        ],
    )


async def _acknowledge(credential: Path, names: list[str], unit: str) -> tuple[list[bytes], int]:
    async with office_of(credential) as office:
        found = [await find_packet(office, name, unit) for name in names]
        parts = [found[start : start + IDS_PER_CALL] for start in range(0, len(found), IDS_PER_CALL)]
        return found, sum([await office.acknowledge(part, unit) for part in parts])
