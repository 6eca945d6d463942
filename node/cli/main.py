"""The command tree, and how a command ends.

Exit codes: 0 done; 2 the command line is wrong; by kind of fault 65 (the author must act), 77 (the caller's operator), 75 (nobody:
try again later), 78 (this node's operator); 70 a mistake of ours (TRUC_TRACE=1 shows where); 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from node import __version__
from node.cli import (
    ack,
    authority,
    calendar,
    completion,
    conformance,
    doctor,
    drop,
    export,
    fetch,
    health,
    hold,
    inbox,
    outbox,
    packet,
    peer,
    replace,
    sandbox,
    serve,
    status,
    store,
    submit,
    support_bundle,
    system,
    track,
    unit,
    update,
    vxp_sign,
    withdraw,
)
from node.cli import node as nodes
from node.cli.command import Command, HomeCommand
from node.cli.faults import run_tree
from node.cli.output import prepare

DOCUMENTS, INSTALLATION, OPERATION = "Văn bản", "Danh bạ và cài đặt nút", "Vận hành nút"
VENDORS = "Nhà cung cấp phần mềm"


def _say_version(ctx: typer.Context, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        print(f"truc {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="In phiên bản rồi thoát.", callback=_say_version, is_eager=True)
    ] = False,
    install_completion: Annotated[
        str | None,
        typer.Option(
            completion.INSTALL,
            help="Cài gợi ý lệnh bằng phím TAB cho bash hoặc zsh rồi thoát.",
            metavar="[SHELL]",
            callback=completion.install,
            is_eager=True,
            autocompletion=completion.shells,
        ),
    ] = None,
    show_completion: Annotated[
        str | None,
        typer.Option(
            completion.SHOW,
            help="In đoạn mã gợi ý lệnh ra rồi thoát.",
            metavar="[SHELL]",
            callback=completion.show,
            is_eager=True,
            autocompletion=completion.shells,
        ),
    ] = None,
) -> None:
    """Nút liên thông văn bản: gửi, nhận, theo dõi văn bản edXML giữa các cơ quan, và vận hành nút."""


def _tree() -> typer.Typer:
    """Put the tree together: documents first, then installation, then operation."""
    made = typer.Typer(
        cls=completion.Root,
        name="truc",
        epilog="Mã thoát: 0 xong · 2 gõ sai lệnh · 65 nơi gửi phải sửa · 77 sai quyền hoặc danh bạ · 75 hãy thử lại sau · "
        "78 quản trị nút phải xử lý",
        context_settings={"help_option_names": ["--help", "-h"]},
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    made.callback()(_root)
    for verb in (
        submit.submit,
        inbox.inbox,
        fetch.fetch,
        ack.ack,
        track.track,
        export.export,
        withdraw.withdraw,
        update.update,
        replace.replace,
        drop.drop,
    ):
        made.command(cls=Command, rich_help_panel=DOCUMENTS)(verb)
    made.add_typer(status.app, name="status", help="Trạng thái xử lý của văn bản.", rich_help_panel=DOCUMENTS)
    made.add_typer(
        packet.app, name="packet", help="Tệp gói tin: xem, kiểm, làm mới, lấy tệp đính kèm.", rich_help_panel=DOCUMENTS
    )
    for noun, name, words in (
        (authority.app, "authority", "Cơ quan vận hành danh bạ: kết nạp nút, nhận vùng, công bố."),
        (nodes.app, "node", "Lập nút, đưa nút vào danh bạ, cập nhật danh bạ."),
        (unit.app, "unit", "Đơn vị thuộc nút: thêm, đóng, tìm, công bố."),
        (system.app, "system", "Phần mềm QLVB được nối vào nút và quyền của nó."),
    ):
        made.add_typer(noun, name=name, help=words, rich_help_panel=INSTALLATION)
    for verb_at_home in (serve.serve, health.health, doctor.doctor, support_bundle.support_bundle, outbox.outbox):
        made.command(cls=HomeCommand, rich_help_panel=OPERATION)(verb_at_home)
    made.add_typer(
        calendar.app, name="calendar", help="Lịch làm việc: ngày nghỉ lễ, tết, ngày làm bù.", rich_help_panel=OPERATION
    )
    made.add_typer(
        hold.app, name="hold", help="Giữ nguyên gói tin, không xóa khi hết thời hạn lưu.", rich_help_panel=OPERATION
    )
    made.add_typer(
        store.app, name="store", help="Kho dữ liệu: cứu kho có nhật ký ghi bị hỏng.", rich_help_panel=OPERATION
    )
    made.add_typer(sandbox.app, name="sandbox", rich_help_panel=VENDORS)
    made.command(cls=Command, rich_help_panel=VENDORS)(conformance.conformance)
    made.add_typer(vxp_sign.app, name="vxp", rich_help_panel=VENDORS)
    made.add_typer(
        peer.app, name="peer", help="Đường tới các nút bạn: xem, tạm giữ, gửi tiếp.", rich_help_panel=OPERATION
    )
    return made


app = _tree()


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    completion.prepare(os.environ)
    prepare(sys.stdout, sys.stderr)
    return run_tree(app, list(sys.argv[1:] if argv is None else argv) or ["--help"], "truc")


if __name__ == "__main__":
    sys.exit(run())
