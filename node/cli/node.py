"""truc node: make a node, let it into the directory, keep its directory fresh; its later days are in node_keys.py and node_rollback.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import node_keys, node_rollback
from node.cli.command import Home, HomeAndPathCommand, HomeCommand, Json, Noun, codes, now_ms, run_async
from node.cli.output import STRONG, WARNING, facts, line, mark, next_steps, table, tell, text
from node.errors import Broken, Deferred, Rejected
from node.model.code import Code
from node.model.directory import EMPTY, Directory
from node.model.reason import Reason
from node.ops import home as homes
from node.ops import making
from node.wording import vietnamese
from node.wording.plain import iso_time

if TYPE_CHECKING:
    from node.config.settings import Settings

app = typer.Typer(cls=Noun, no_args_is_help=True)

PublicFolder = Annotated[
    Path | None,
    typer.Argument(
        help="Thư mục 'public' của cơ quan vận hành danh bạ, hoặc bản chép của nó.", metavar="PUBLIC_FOLDER"
    ),
]


@app.command(cls=HomeCommand)
def create(
    home: Home,
    node_id: Annotated[str, typer.Option("--id", help="Mã nút: chữ thường, số, gạch nối.", metavar="ID")],
    name: Annotated[str, typer.Option(help="Tên nút, cho người đọc.")],
    mesh: Annotated[str, typer.Option(help="Nghe các nút khác ở đây, máy:cổng.", metavar="ADDRESS")] = "127.0.0.1:7401",
    office: Annotated[
        str, typer.Option(help="Nghe phần mềm QLVB ở đây, máy:cổng.", metavar="ADDRESS")
    ] = "127.0.0.1:7402",
    advertise: Annotated[
        str | None,
        typer.Option(
            help="Địa chỉ ghi vào danh bạ; mặc định như --mesh; '' nếu không ai gọi tới được.", metavar="ADDRESS"
        ),
    ] = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(help="Tiền tố mã định danh, hoặc mã riêng (Z…, số doanh nghiệp), xin được giao (ghi nhiều lần)."),
    ] = None,
    via_relay: Annotated[
        list[str] | None,
        typer.Option(help="Chỉ các nút chuyển tiếp này gọi tới được nút (ghi nhiều lần).", metavar="NODE"),
    ] = None,
    relay: Annotated[bool, typer.Option("--relay", help="Giữ hộ và chuyển tiếp gói tin cho các nút khác.")] = False,
    as_json: Json = False,
) -> None:
    """Lập một nút mới: khóa, chứng thư TLS, node.toml và tệp xin kết nạp."""
    new = making.NewNode(
        node_id=node_id,
        name=name,
        mesh=mesh,
        office=office,
        advertise=making.advertised(mesh, advertise),
        prefixes=tuple(_grantable(code) for code in codes(prefix or [])),
        via_relays=tuple(via_relay or []),
        carry_for_others=relay,
    )
    made = making.create_home(home, new, now_ms())
    document = {
        "home": str(home),
        "node_id": node_id,
        "join_request": str(made.join_request),
        "settings": str(made.settings_file),
    }
    tell(
        as_json,
        document,
        lambda: [
            line(mark(True), " Đã lập nút ", text(node_id, STRONG), f" trong {home}"),
            facts(
                [
                    ("Tiền tố xin giao", ", ".join(map(str, new.prefixes)) or "không có"),
                    ("Các nút khác gọi tới", new.advertise or "không ai gọi tới được"),
                    ("Phần mềm QLVB gọi tới", new.office),
                ]
            ),
            text(f"Hãy sao lưu {made.keys} và {made.zone}: mất là phải xin kết nạp lại.", WARNING),
            next_steps(
                [
                    ("Gửi tệp này cho cơ quan vận hành danh bạ để được kết nạp:", str(made.join_request)),
                    ("Được kết nạp rồi, lấy danh bạ về:", "truc node join HOME THƯ-MỤC-PUBLIC"),
                    ("Xem còn thiếu gì:", "truc doctor HOME"),
                ]
            ),
        ],
    )


@app.command(cls=HomeAndPathCommand)
def join(
    home: Home,
    public_folder: PublicFolder = None,
    fingerprint: Annotated[
        str, typer.Option(help="Dấu vân tay gốc do cơ quan vận hành danh bạ đọc cho; sai là từ chối.", metavar="F")
    ] = "",
    as_json: Json = False,
) -> None:
    """Tin danh bạ lần đầu: nhận gốc tin cậy, hiện dấu vân tay để đối chiếu, nạp danh bạ."""
    from node.ops.join import bootstrap

    place = homes.Home(home)
    place.require_real()
    settings, public = place.settings(), _need_folder(public_folder)
    found, directory = bootstrap(place, public, fingerprint, now_ms())
    compared = bool(fingerprint)
    document = {
        "home": str(home),
        "fingerprint": found,
        "fingerprint_compared": compared,
        **_directory_facts(directory, settings),
    }
    tell(
        as_json,
        document,
        lambda: [
            line(mark(True), f" Nút {settings.node_id} đã nạp danh bạ phiên bản {directory.version}"),
            facts(
                [
                    ("Dấu vân tay", found),
                    ("Danh bạ có", f"{len(directory.nodes)} nút, {vietnamese.count(directory.unit_count())} đơn vị"),
                ]
            ),
            line(mark(True), " Dấu vân tay khớp.")
            if compared
            else text("! Hãy gọi điện cho cơ quan vận hành danh bạ và đối chiếu dấu vân tay trước khi tin.", WARNING),
            _admission(directory, settings),
            next_steps([("Chạy nút:", "truc serve HOME"), ("Thêm đơn vị:", "truc unit add HOME MÃ TÊN")]),
        ],
    )


@app.command(cls=HomeAndPathCommand)
def update(
    home: Home,
    public_folder: PublicFolder = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Bảo nút đang chạy tự lấy danh bạ mới ngay.")] = False,
    as_json: Json = False,
) -> None:
    """Nạp danh bạ mới hơn: từ một thư mục khi nút đang dừng, hoặc --refresh khi nút đang chạy."""
    place = homes.Home(home)
    place.require_real()
    settings = place.settings()
    if refresh == (public_folder is not None):
        raise typer.BadParameter("ghi PUBLIC_FOLDER khi nút đang dừng, hoặc --refresh khi nút đang chạy")
    version = run_async(_refresh(place)) if refresh else _update_from_folder(place, _need_folder(public_folder)).version
    tell(
        as_json,
        {"home": str(home), "node_id": settings.node_id, "directory_version": version},
        lambda: [line(mark(True), f" Nút {settings.node_id} đang tin danh bạ phiên bản {version}")],
    )


class PeersSilent(Deferred):
    """Our node answers, but none of those that serve the directory does."""

    @property
    def advice(self) -> str:
        """In place of the general advice, which would speak of our own node."""
        return "Chưa nút danh bạ nào trả lời. Nút vẫn dùng bản đang có; hãy thử lại sau, hoặc nạp từ một thư mục."


async def _refresh(place: homes.Home) -> int:
    """Raises PeersSilent if the node runs and could ask nobody."""
    async with place.admin() as admin:
        await admin.health()
        try:
            return await admin.refresh_directory()
        except Deferred as fault:
            raise PeersSilent(fault.reason, fault.detail) from fault


class NodeRuns(Broken):
    """A running node looks at the files of its directory only when it starts and when it has fetched others itself."""

    @property
    def advice(self) -> str:
        """In place of the general advice, which knows of one way only."""
        return "Nút đang chạy sẽ không thấy danh bạ nạp từ ngoài. Hãy dừng nút, hoặc để nút tự lấy: truc node update HOME --refresh."


def _update_from_folder(place: homes.Home, public: Path) -> Directory:
    """Raises NodeRuns, and as TrustedFolder.update_from."""
    from node.directory.trust.trust import TrustedFolder
    from node.net.tls_trial import tls_trial

    try:
        place.require_stopped()
    except Broken as fault:
        raise NodeRuns(fault.reason, fault.detail) from fault
    return TrustedFolder(place.directory, tls_trial()).update_from(public, now_ms())


@app.command(cls=HomeCommand)
def show(home: Home, as_json: Json = False) -> None:
    """Xem một nút: địa chỉ, tiền tố, vùng đã ký, danh bạ đang tin."""
    from node.directory.files import read_file
    from node.directory.root import root_fingerprint
    from node.directory.trust.trust import TrustedFolder

    place = homes.Home(home)
    settings, zone = place.settings(), place.zone_editor()
    directory = TrustedFolder(place.directory).load()
    root = read_file(place.directory / "root.json")
    fingerprint = root_fingerprint(root) if root else ""
    document = {
        "home": str(home),
        "node_id": settings.node_id,
        "name": settings.name,
        "mesh": settings.mesh.listen,
        "advertise": settings.mesh.advertise,
        "office": settings.office.listen,
        "zone_version": zone.version,
        "zone_prefixes": [str(prefix) for prefix in zone.prefixes],
        "zone_units": len(zone.units()),
        "fingerprint": fingerprint,
        **_directory_facts(directory, settings),
    }
    tell(as_json, document, lambda: [_show_node(document), _admission(directory, settings), *_show_nodes(directory)])


keys_app = typer.Typer(cls=Noun, no_args_is_help=True)
keys_app.command(cls=HomeCommand)(node_keys.rotate)
app.add_typer(keys_app, name="keys", help="Khóa của nút: đổi không gián đoạn.")
app.command(cls=HomeCommand)(node_keys.certificate)
app.command(cls=HomeAndPathCommand)(node_keys.passphrase)
app.command("accept-rollback", cls=HomeCommand)(node_rollback.accept_rollback)


def _grantable(code: Code) -> Code:
    if not code.is_grantable:
        raise Rejected(Reason.CODE_MALFORMED, f"{code}: mã Z viết liền, từ 1 đến 32 chữ và số sau {code.labels[0]}")
    return code


def _need_folder(public_folder: Path | None) -> Path:
    if public_folder is None:
        raise typer.BadParameter("thiếu PUBLIC_FOLDER", param_hint="'PUBLIC_FOLDER'")
    if not public_folder.is_dir():
        raise Rejected(Reason.REQUEST_INVALID, f"{public_folder} is not a folder")
    return public_folder


def _directory_facts(directory: Directory, settings: "Settings") -> dict[str, object]:
    return {
        "directory_version": directory.version,
        "directory_time_ms": directory.signed_time_ms,
        "directory_time": iso_time(directory.signed_time_ms),
        "nodes": len(directory.nodes),
        "units": directory.unit_count(),
        "admitted": settings.node_id in directory.nodes,
        "prefixes": [str(prefix) for prefix in directory.prefixes_of(settings.node_id)],
    }


def _admission(directory: Directory, settings: "Settings") -> object:
    prefixes = ", ".join(map(str, directory.prefixes_of(settings.node_id)))
    if settings.node_id in directory.nodes:
        return line(
            mark(True), " Đã được kết nạp", f", phục vụ tiền tố {prefixes}" if prefixes else ", không có tiền tố"
        )
    if directory is EMPTY:
        return line(mark(None), " Chưa có danh bạ: chạy 'truc node join' khi đã được kết nạp")
    return line(mark(None), " Chưa được kết nạp: danh bạ này không có nút ", settings.node_id)


def _show_node(document: dict[str, object]) -> object:
    zone = f"phiên bản {document['zone_version']}, {document['zone_units']} đơn vị"
    return facts(
        [
            ("Nút", text(f"{document['node_id']} – {document['name']}", STRONG)),
            ("Các nút khác gọi tới", document["advertise"] or "không ai gọi tới được"),
            ("Nghe các nút khác", document["mesh"]),
            ("Nghe phần mềm QLVB", document["office"]),
            ("Vùng đã ký", zone),
            (
                "Danh bạ",
                f"phiên bản {document['directory_version']}, {document['nodes']} nút, {document['units']} đơn vị",
            ),
            ("Dấu vân tay", document["fingerprint"]),
        ]
    )


def _show_nodes(directory: Directory) -> list[object]:
    if not directory.nodes:
        return []
    shown = table(["Nút", "Tên", "Địa chỉ", "Tiền tố", "Vai trò"], whole=["Nút"])
    for one in sorted(directory.nodes.values(), key=lambda entry: entry.node_id):
        prefixes = ", ".join(map(str, directory.prefixes_of(one.node_id)))
        roles = ", ".join(vietnamese.ROLES[role] for role in sorted(one.roles))
        via = f" (qua {', '.join(one.via_relays)})" if one.via_relays else ""
        shown.add_row(*map(text, [one.node_id, one.name, (one.mesh_address or "–") + via, prefixes, roles]))
    return [shown]
