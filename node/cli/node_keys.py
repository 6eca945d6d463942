"""truc node certificate, keys rotate and passphrase: what becomes of a node's key files after its first day (node/ops/keys.py)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, now_ms
from node.cli.output import WARNING, line, mark, next_steps, tell, text
from node.errors import Broken
from node.model.policy import MINUTE_MS
from node.model.reason import Reason
from node.ops import home as homes
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from node.ops.keys import Turn

OVERLAP_H, OVERLAP_H_MAX = 24, 400 * 24
TITLES = {"signing": "Khóa ký", "sealing": "Khóa mở", "tls": "Chứng thư TLS"}


def certificate(
    home: Home,
    new: Annotated[bool, typer.Option("--new", help="Làm chứng thư mới dù cái đang dùng còn hạn dài.")] = False,
    as_json: Json = False,
) -> None:
    """Đổi chứng thư TLS không gián đoạn: làm cái mới, công bố, chạy lại nút. Gõ lại lúc nào cũng được để xem tới bước nào."""
    from node.ops.keys import renew

    place = homes.Home(home)
    place.require_real()
    state, expire_at_ms = renew(place, place.settings(), now_ms(), even_early=new)
    document = {"home": str(home), "state": state, "expire_at_ms": expire_at_ms}
    tell(as_json, document, lambda: _told(home, state, expire_at_ms))


def _told(home: Path, state: str, expire_at_ms: int) -> "list[RenderableType]":
    from node.ops.keys import CURRENT, PREPARED, READY

    until = f"có giá trị đến {vietnamese.day(expire_at_ms)}"
    if state == CURRENT:
        return [line(mark(True), f" Chứng thư đang dùng {until}, chưa cần đổi (--new: vẫn đổi).")]
    if state == READY:
        return [
            line(mark(True), f" Danh bạ đã có chứng thư mới, {until}: nút dùng nó từ lần chạy tới."),
            text(
                "Phần mềm nối vào cửa gRPC ghim chứng thư cũ: đưa chứng thư mới cho họ trước khi chạy lại nút.", WARNING
            ),
            next_steps(
                [
                    (
                        "Chứng thư mới, nối vào certificate_pem trong tệp của từng phần mềm:",
                        f"{home}/keys/next/tls.crt",
                    ),
                    ("Chạy lại nút:", "systemctl restart truc"),
                    ("Chạy lại rồi, bỏ chứng thư cũ khỏi danh bạ:", "truc unit publish HOME -o TỆP"),
                ]
            ),
        ]
    said = f" Đã làm chứng thư mới, {until}" if state == PREPARED else f" Chứng thư mới, {until}, chưa có trong danh bạ"
    return [
        line(mark(True if state == PREPARED else None), f"{said}. Nút vẫn dùng chứng thư cũ."),
        next_steps(
            [
                ("Công bố cả hai chứng thư, gửi tệp cho cơ quan vận hành danh bạ:", "truc unit publish HOME -o TỆP"),
                ("Được công bố rồi, xem bước sau:", "truc node certificate HOME"),
            ]
        ),
    ]


def rotate(
    home: Home,
    signing: Annotated[bool, typer.Option("--signing", help="Chỉ khóa ký.")] = False,
    sealing: Annotated[bool, typer.Option("--sealing", help="Chỉ khóa mở.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Chỉ chứng thư TLS, như truc node certificate.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Làm khóa mới dù khóa đang dùng chưa cũ.")] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Khóa cũ bị lộ: làm khóa mới và bỏ ngay khóa cũ khỏi danh bạ, không chờ.")
    ] = False,
    overlap: Annotated[
        float | None,
        typer.Option(
            "--overlap",
            help=f"Khóa mới bắt đầu sau khi công bố bao nhiêu giờ, từ 0 đến {OVERLAP_H_MAX}; mặc định {OVERLAP_H}.",
            metavar="HOURS",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Nếu có khóa chờ công bố: ký vùng và ghi tệp vào đây.", metavar="FILE"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Đổi khóa của nút, mỗi lần một bước: làm khóa mới, công bố, tới giờ thì dùng. Chạy theo lịch hoặc gõ lại lúc nào cũng được."""
    from node.directory.files import write_file
    from node.ops.keys import KINDS, PREPARED, SCHEDULED, SEALING, SIGNING, TLS, WAITING
    from node.ops.keys import rotate as turn
    from node.ops.zone import sign_zone

    if overlap is not None and not 0 <= overlap <= OVERLAP_H_MAX:  # not a number, too
        raise typer.BadParameter(f"từ 0 đến {OVERLAP_H_MAX} giờ", param_hint="'--overlap'")
    place = homes.Home(home)
    place.require_real()
    chosen = [kind for kind, wanted in ((SIGNING, signing), (SEALING, sealing), (TLS, tls)) if wanted] or KINDS
    now, is_given = now_ms(), overlap is not None
    overlap_ms = round((OVERLAP_H if overlap is None else overlap) * 60 * MINUTE_MS)
    turns = turn(place, place.settings(), now, chosen, even_early=new, revoke=revoke, overlap_ms=overlap_ms)
    waits = any(one.state in (PREPARED, WAITING) for one in turns)
    # A key that was made before stays the newest; it takes on the overlap only if its beginning was not settled yet.
    ignored = {
        one.kind: [*(["--new"] if new else []), *(["--overlap"] if is_given and one.at_ms != now + overlap_ms else [])]
        for one in turns
        if one.kind != TLS and one.state in (WAITING, SCHEDULED)
    }
    if out is not None and waits:
        write_file(out, sign_zone(place, now_ms())[0])
    document = {
        "home": str(home),
        "keys": [{"kind": one.kind, "state": one.state, "at_ms": one.at_ms} for one in turns],
        "file": str(out) if out is not None and waits else None,
        "ignored": sorted({name for names in ignored.values() for name in names}),
    }
    unheeded = [
        text(f"{TITLES[kind]} mới đã làm từ trước: {', '.join(names)} không đổi gì.", WARNING)
        for kind, names in ignored.items()
        if names
    ]
    tell(as_json, document, lambda: _turns_told(home, turns, out if waits else None, unheeded, waits=waits))


def _turns_told(
    home: Path, turns: "list[Turn]", file: Path | None, unheeded: "list[Text]", *, waits: bool
) -> "list[RenderableType]":
    from node.ops.keys import READY, TLS

    states = {
        "current": "đang dùng, chưa cần đổi",
        "prepared": "đã làm khóa mới, chờ công bố",
        "waiting": "khóa mới chờ công bố",
        "scheduled": "khóa mới đã công bố, tới giờ nút tự dùng",
        "ready": "chứng thư mới đã công bố, nút dùng từ lần chạy tới",
    }
    said: list[RenderableType] = []
    for one in turns:
        when = f"{'đến' if one.kind == TLS else 'từ'} {vietnamese.when(one.at_ms)}" if one.at_ms else ""
        said.append(line(mark(True), f" {TITLES[one.kind]}: {states[one.state]}{', ' + when if when else ''}."))
    steps = [("Gửi tệp này cho cơ quan vận hành danh bạ:", str(file))] if file else []
    if waits and file is None:
        steps = [("Công bố, gửi tệp cho cơ quan vận hành danh bạ:", "truc unit publish HOME -o TỆP")]
    if any(one.state == READY for one in turns):
        steps += [("Chạy lại nút:", "systemctl restart truc")]
    return [*said, *unheeded, *([next_steps(steps)] if steps else [])]


def passphrase(
    home: Home,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Tệp chứa mật khẩu mới, chỉ chủ tệp đọc được; mặc định là keys.passphrase_file trong node.toml.",
            metavar="PASSPHRASE_FILE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Đặt hoặc đổi mật khẩu cho mọi khóa riêng của nút; nút đang chạy không bị ảnh hưởng cho tới lần chạy sau."""
    from node.ops.keys import PASSPHRASE_BYTES_MIN, encrypt_keys
    from node.seal.files import read_private

    place = homes.Home(home)
    place.require_real()
    settings = place.settings()
    file = file or settings.keys.passphrase_file
    if file is None:
        raise typer.BadParameter(
            "thiếu PASSPHRASE_FILE: node.toml không ghi keys.passphrase_file", param_hint="'PASSPHRASE_FILE'"
        )
    new = read_private(file).strip()
    if len(new) < PASSPHRASE_BYTES_MIN:
        detail = f"{file}: {len(new)} octet, cần ít nhất {PASSPHRASE_BYTES_MIN}; ví dụ openssl rand -base64 33"
        raise Broken(Reason.KEY_UNUSABLE, detail)
    changed = encrypt_keys(place, settings, new)
    document = {"home": str(home), "files": [str(path) for path in changed]}
    tell(
        as_json,
        document,
        lambda: [
            line(
                mark(True),
                f" Đã đặt mật khẩu cho {len(changed)} tệp khóa trong {place.keys}."
                if changed
                else " Mọi tệp khóa đã nằm dưới mật khẩu này.",
            ),
            text("Cất một bản mật khẩu ở nơi khác với bản sao lưu: mất mật khẩu là mất khóa.", WARNING),
            *([] if file == settings.keys.passphrase_file else [_name_the_file(file)]),
        ],
    )


def _name_the_file(file: Path) -> "RenderableType":
    return next_steps([("Cho nút biết tệp mật khẩu, trong node.toml mục [keys]:", f'passphrase_file = "{file}"')])
