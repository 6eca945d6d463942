"""truc authority: run the directory. The authority is a folder, not a server; node/directory/authority/authority.py holds its rules."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Command, Json, Noun, codes, leaves, now_ms, read_input
from node.cli.output import STRONG, WARNING, facts, line, mark, next_steps, table, tell, text
from node.model.code import parse_leaf
from node.model.directory import Role
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from node.directory.authority.summary import AdmittedNode, Summary

app = typer.Typer(cls=Noun, no_args_is_help=True)

LEAVES_SHOWN_MAX = 4
"""Opaque codes that are named; more are counted."""

Folder = Annotated[Path, typer.Argument(help="Thư mục của cơ quan vận hành danh bạ.", metavar="FOLDER")]


@app.command(cls=Command)
def create(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Tên cơ quan vận hành, cho người đọc.")],
    root_keys: Annotated[int, typer.Option(help="Số khóa gốc.", min=1, max=16)] = 1,
    root_threshold: Annotated[int, typer.Option(help="Cần bao nhiêu khóa gốc cùng ký.", min=1, max=16)] = 1,
    as_json: Json = False,
) -> None:
    """Lập cơ quan vận hành danh bạ: tạo khóa và công bố danh bạ đầu tiên, còn trống."""
    from node.directory.authority.authority import Authority

    if root_threshold > root_keys:
        raise typer.BadParameter("ngưỡng ký không thể lớn hơn số khóa gốc", param_hint="'--root-threshold'")
    authority = Authority.create(folder, name, now_ms(), root_keys=root_keys, root_threshold=root_threshold)
    fingerprint = authority.fingerprint()
    document = {"folder": str(folder), "name": name, "fingerprint": fingerprint, "public": str(authority.public)}
    tell(
        as_json,
        document,
        lambda: [
            line(mark(True), " Đã lập cơ quan vận hành danh bạ ", text(name, STRONG)),
            facts([("Dấu vân tay", fingerprint), ("Thư mục công khai", authority.public)]),
            text(f"Hãy cất {folder}/keys/root-*.pem vào nơi an toàn, ngoài máy này; hằng ngày không cần đến.", WARNING),
            next_steps([("Kết nạp một nút:", f"truc authority admit {shlex.quote(str(folder))} TỆP-XIN-KẾT-NẠP")]),
        ],
    )


@app.command(cls=Command)
def admit(
    folder: Folder,
    join_request: Annotated[Path, typer.Argument(help="Tệp join-request.truc của nút.", metavar="JOIN_REQUEST")],
    prefix: Annotated[
        list[str] | None, typer.Option(help="Tiền tố hoặc mã riêng được giao (ghi nhiều lần); bỏ trống: như nút xin.")
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="Vai trò: relay hoặc directory (ghi nhiều lần).")] = None,
    as_json: Json = False,
) -> None:
    """Kết nạp một nút với tiền tố và vai trò của nó. Chưa ai thấy cho tới khi công bố."""
    from node.directory.authority.authority import Authority
    from node.directory.zone.zonefiles import read_join
    from node.net.tls_trial import tls_trial

    request = read_input(join_request)
    authority = Authority.open(folder, tls_trial())
    authority.admit(request, codes(prefix) if prefix else None, _roles(role or []), now_ms())
    node_id = read_join(request).node_id
    admitted = next(one for one in authority.summary().nodes if one.node_id == node_id)
    tell(
        as_json,
        {"admitted": _node_document(admitted)},
        lambda: [
            line(mark(True), " Đã kết nạp nút ", text(admitted.node_id, STRONG), " – ", text(admitted.name)),
            facts(
                [
                    ("Tiền tố", ", ".join(map(str, admitted.prefixes)) or "không có"),
                    ("Mã riêng", _leaves(admitted)),
                    ("Vai trò", _role_names(admitted)),
                ]
            ),
            next_steps([("Công bố để mọi nút thấy:", f"truc authority publish {shlex.quote(str(folder))}")]),
        ],
    )


@app.command(cls=Command)
def leaf(
    folder: Folder,
    node_id: Annotated[str, typer.Argument(help="Mã nút đã kết nạp.", metavar="NODE")],
    code: Annotated[
        list[str] | None, typer.Argument(help="Mã Z (Z01ABC) hoặc số đăng ký doanh nghiệp.", metavar="CODE")
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="Tệp CSV có cột code (hoặc 'mã định danh').", metavar="FILE")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Thu lại các mã này thay vì giao.")] = False,
    as_json: Json = False,
) -> None:
    """Giao cho một nút những mã riêng: tổ chức ngoài Nhà nước, doanh nghiệp. Mỗi mã đứng một mình, không là tiền tố của mã nào.

    Chưa ai thấy cho tới khi công bố; sau đó nút thêm đơn vị bằng 'truc unit add'.
    """
    from node.cli.csv_file import read_rows
    from node.directory.authority.authority import Authority

    if (from_file is None) == (not code):
        raise typer.BadParameter("ghi CODE, hoặc --from FILE")
    given = read_rows(from_file, ("code",), 1, lambda row: parse_leaf(row["code"])) if from_file else leaves(code or [])
    authority = Authority.open(folder)
    authority.change_leaves(node_id, now_ms(), **{"remove" if remove else "add": given})
    changed = next(one for one in authority.summary().nodes if one.node_id == node_id)
    done = "Đã thu lại của nút " if remove else "Đã giao cho nút "
    tell(
        as_json,
        {"node_id": node_id, "leaves": [str(one) for one in changed.leaves]},
        lambda: [
            line(mark(True), f" {done}", text(node_id, STRONG), f" {vietnamese.count(len(set(given)))} mã riêng"),
            facts([("Nay có", _leaves(changed) or "không mã nào")]),
            next_steps([("Công bố để mọi nút thấy:", f"truc authority publish {shlex.quote(str(folder))}")]),
        ],
    )


@app.command(cls=Command)
def take(
    folder: Folder,
    zone_update: Annotated[Path, typer.Argument(help="Tệp do 'truc unit publish' tạo ra.", metavar="ZONE_UPDATE")],
    as_json: Json = False,
) -> None:
    """Nhận vùng mới (đơn vị, khóa, địa chỉ) mà một nút đã ký. Chưa ai thấy cho tới khi công bố."""
    from node.directory.authority.authority import Authority
    from node.net.tls_trial import tls_trial

    node_id = Authority.open(folder, tls_trial()).take(read_input(zone_update), now_ms())
    tell(
        as_json,
        {"node_id": node_id},
        lambda: [
            line(mark(True), " Đã nhận vùng mới của nút ", text(node_id, STRONG)),
            next_steps([("Công bố để mọi nút thấy:", f"truc authority publish {shlex.quote(str(folder))}")]),
        ],
    )


@app.command(cls=Command)
def publish(folder: Folder, as_json: Json = False) -> None:
    """Công bố mọi điều đã quyết định; không có gì mới thì ký lại dấu thời gian."""
    from node.directory.authority.authority import Authority
    from node.net.tls_trial import tls_trial

    authority = Authority.open(folder, tls_trial())
    version = authority.publish(now_ms())
    tell(
        as_json,
        {"version": version, "public": str(authority.public)},
        lambda: [
            line(mark(True), f" Đã công bố danh bạ phiên bản {version}"),
            facts([("Thư mục công khai", authority.public)]),
            next_steps(
                [
                    (
                        "Ở mỗi nút đang dừng, nạp bản mới (nút đang chạy: --refresh; nút mới: 'node join'):",
                        f"truc node update HOME {shlex.quote(str(authority.public))}",
                    )
                ]
            ),
        ],
    )


@app.command(cls=Command)
def refresh(folder: Folder, as_json: Json = False) -> None:
    """Ký lại dấu thời gian của bản đã công bố, không công bố gì mới: việc hằng ngày, để lịch tự chạy."""
    from node.directory.authority.authority import Authority

    authority = Authority.open(folder)
    version = authority.refresh(now_ms())
    tell(
        as_json,
        {"version": version, "public": str(authority.public)},
        lambda: [
            line(mark(True), f" Đã ký lại danh bạ: phiên bản {version}, nội dung như cũ"),
            facts([("Thư mục công khai", authority.public)]),
        ],
    )


@app.command(cls=Command)
def revoke(
    folder: Folder,
    node_id: Annotated[str, typer.Argument(help="Mã nút.", metavar="NODE")],
    as_json: Json = False,
) -> None:
    """Đưa một nút ra khỏi danh bạ cùng mọi tiền tố của nó. Có hiệu lực khi công bố."""
    from node.directory.authority.authority import Authority

    Authority.open(folder).revoke(node_id, now_ms())
    tell(
        as_json,
        {"revoked": node_id},
        lambda: [line(mark(True), " Đã đưa nút ", text(node_id, STRONG), " ra khỏi danh bạ")],
    )


@app.command(cls=Command)
def show(folder: Folder, as_json: Json = False) -> None:
    """Xem danh bạ: nút, tiền tố, vai trò, phiên bản, số đơn vị, số mã tương đương, dấu vân tay."""
    from node.directory.authority.authority import Authority

    summary = Authority.open(folder).summary()
    tell(as_json, _document(summary), lambda: [_heading(summary), _nodes(summary), *_unpublished(summary)])


def _roles(names: list[str]) -> set[Role]:
    known = {role.name.lower(): role for role in Role}
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} không phải vai trò; có: {', '.join(known)}", param_hint="'--role'")
    return {known[name] for name in names}


def _document(summary: "Summary") -> dict[str, object]:
    return {**plain(summary), "nodes": [_node_document(one) for one in summary.nodes]}


def _node_document(one: "AdmittedNode") -> dict[str, object]:
    codes = {"prefixes": [str(code) for code in one.prefixes], "leaves": [str(code) for code in one.leaves]}
    return {**plain(one), **codes}


def _heading(summary: "Summary") -> object:
    return facts(
        [
            ("Cơ quan", text(summary.name, STRONG)),
            ("Dấu vân tay", summary.fingerprint),
            ("Phiên bản", f"{summary.version}, ký lúc {vietnamese.when(summary.signed_time_ms)}"),
            ("Quyết định kết nạp", f"có giá trị đến {vietnamese.day(summary.targets_expire_at_ms)}"),
        ]
    )


def _nodes(summary: "Summary") -> object:
    shown = table(
        ["Nút", "Tên", "Tiền tố", "Vai trò", "Vùng", "Đơn vị", "Mã tương đương"],
        right=["Vùng", "Đơn vị", "Mã tương đương"],
        whole=["Nút", "Vùng", "Đơn vị"],
    )
    for one in summary.nodes:
        cells = [
            one.node_id,
            one.name,
            _granted(one),
            _role_names(one),
            f"v{one.zone_version}",
            vietnamese.count(one.units),
            vietnamese.count(one.aliases),
        ]
        shown.add_row(*map(text, cells))
    return shown


def _unpublished(summary: "Summary") -> list[object]:
    if not summary.unpublished:
        return []
    return [
        text(
            f"! {len(summary.unpublished)} tệp đã quyết định nhưng chưa công bố: {', '.join(summary.unpublished)}",
            WARNING,
        )
    ]


def _granted(one: "AdmittedNode") -> str:
    return ", ".join([*map(str, one.prefixes), *([_leaves(one)] if one.leaves else [])])


def _leaves(one: "AdmittedNode") -> str:
    if len(one.leaves) <= LEAVES_SHOWN_MAX:
        return ", ".join(map(str, one.leaves))
    return f"{vietnamese.count(len(one.leaves))} mã riêng"


def _role_names(one: "AdmittedNode") -> str:
    return ", ".join(vietnamese.ROLES[role] for role in sorted(one.roles))
