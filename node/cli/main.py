"""The command tree, and how a command ends.

Exit codes: 0 done; 2 the command line is wrong; by kind of fault 65 (the author must act), 77 (the caller's operator), 75 (nobody:
try again later), 78 (this node's operator); 70 a mistake of ours (TRUC_TRACE=1 shows where); 130 interrupted.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from node import __version__
from node.cli import authority, doctor, inbox, node, outbox, peer, serve, status, submit, system, track, unit
from node.cli.command import Json
from node.errors import EXIT_BUG, EXIT_OK, Fault

EXIT_USAGE = 2
TRACE_VARIABLE = "TRUC_TRACE"

_PANEL_TITLES = {"ARGUMENTS_PANEL_TITLE": "Đối số", "OPTIONS_PANEL_TITLE": "Tùy chọn", "COMMANDS_PANEL_TITLE": "Lệnh"}


class VietnameseHelp(TyperGroup):
    """The root of the tree; help is titled in Vietnamese."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Title the help before any of it is shown (the library of tables is only loaded if there will be help)."""
        if {"--help", "-h"} & set(args):
            from typer import rich_utils

            for name, title in _PANEL_TITLES.items():
                setattr(rich_utils, name, title)
        return super().make_context(info_name, args, parent, **extra)


app = typer.Typer(
    cls=VietnameseHelp,
    name="truc",
    help="Nút liên thông văn bản: gửi, nhận, theo dõi văn bản edXML giữa các cơ quan, và vận hành nút.",
    epilog="Mã thoát: 0 xong, 2 gõ sai lệnh, 65 nơi gửi phải sửa, 77 sai quyền hoặc danh bạ, 75 hãy thử lại sau, 78 quản trị nút phải xử lý.",
    context_settings={"help_option_names": ["--help", "-h"]},
    add_completion=False,
    pretty_exceptions_enable=False,
)

DOCUMENTS, INSTALLATION, OPERATION = "Văn bản", "Danh bạ và cài đặt nút", "Vận hành nút"

for noun, name, words in (
    (authority.app, "authority", "Cơ quan vận hành danh bạ: kết nạp nút, nhận vùng, công bố."),
    (node.app, "node", "Lập nút, đưa nút vào danh bạ, cập nhật danh bạ."),
    (unit.app, "unit", "Đơn vị thuộc nút: thêm, đóng, tìm, công bố."),
    (system.app, "system", "Phần mềm QLVB được nối vào nút và quyền của nó."),
):
    app.add_typer(noun, name=name, help=words, rich_help_panel=INSTALLATION)
for verb, name in ((submit.submit, "submit"), (inbox.inbox, "inbox"), (inbox.fetch, "fetch"), (inbox.ack, "ack")):
    app.command(name, rich_help_panel=DOCUMENTS)(verb)
app.command("status", rich_help_panel=DOCUMENTS)(status.status)
app.command("track", rich_help_panel=DOCUMENTS)(track.track)
