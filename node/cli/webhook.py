"""truc system webhook: the address at which a system is told of events (node/access/webhooks.py), and how the telling goes.

Address and secret lie in the node's folder, so they are set whether the node runs or not; how it goes only the running node knows.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, now_ms, run_async
from node.cli.output import QUIET, STRONG, WARNING, facts, line, mark, next_steps, tell, text
from node.errors import Fault, Rejected
from node.model.reason import Reason
from node.model.webhook import HookView
from node.ops.describing import sealing_key_in_use
from node.ops.home import Home as Place
from node.ops.home import keys_of
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from node.access.webhooks import HookFile, HookFiles

app = typer.Typer(cls=Noun, no_args_is_help=True)

ASK_S = 5.0

Name = Annotated[str, typer.Argument(help="Tên hệ thống.", metavar="NAME")]


@app.command("set", cls=HomeCommand)
def set_address(
    home: Home,
    name: Name,
    url: Annotated[str, typer.Argument(help="https://… của phần mềm (http chỉ trong máy này).", metavar="URL")],
    ca: Annotated[
        Path | None,
        typer.Option("--ca", help="Tệp CA (PEM) đã cấp chứng thư cho URL; mặc định theo máy.", metavar="FILE"),
    ] = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Cấp secret mới thay secret cũ.")] = False,
    as_json: Json = False,
) -> None:
    """Đặt địa chỉ nhận báo tin của một hệ thống, hoặc báo lại sau khi đã ngừng. Secret chỉ hiện một lần."""
    place = Place(home)
    keys = keys_of(place)
    public_key = sealing_key_in_use(place, keys, now_ms())
    secret = _files(place).set(name, url, ca, now_ms(), public_key, new_secret=new_secret)
    tell(
        as_json,
        {"system": name, "url": url, "secret": secret},
        lambda: [
            line(mark(True), " Hệ thống ", text(name, STRONG), " sẽ được báo tin ở địa chỉ này."),
            facts([("URL", url), ("secret", secret or "như cũ")]),
            *([text("Secret chỉ hiện một lần này; phần mềm dùng nó để kiểm chữ ký.", WARNING)] if secret else []),
            next_steps(
                [
                    ("Thử:", f"truc system webhook test {home} {name}"),
                    ("Xem:", f"truc system webhook show {home} {name}"),
                ]
            ),
        ],
    )


@app.command(cls=HomeCommand)
def off(home: Home, name: Name, as_json: Json = False) -> None:
    """Thôi báo tin cho một hệ thống. Hộp đến vẫn như cũ, phần mềm vẫn hỏi được."""
    _files(Place(home)).remove(name)
    tell(as_json, {"off": name}, lambda: [line(mark(True), " Thôi báo tin cho hệ thống ", text(name, STRONG))])


@app.command(cls=HomeCommand)
def show(home: Home, name: Name, as_json: Json = False) -> None:
    """Xem địa chỉ nhận báo tin của một hệ thống và việc báo đang ra sao."""
    place = Place(home)
    found = _require(place, name)
    views = asked(place)
    view = (views or {}).get(name)
    document = {
        "system": name,
        "url": found.url,
        "ca_file": found.ca_file,
        "running": views is not None,
        "state": plain(view),
    }
    tell(as_json, document, lambda: [facts(_rows(found, view, running=views is not None))])


@app.command("test", cls=HomeCommand)
def try_out(home: Home, name: Name, as_json: Json = False) -> None:
    """Gửi ngay một tin thử (không có thông báo nào) tới địa chỉ của hệ thống và cho biết kết quả."""
    place = Place(home)
    found = _require(place, name)
    status, lasted_s = run_async(_post(place, name, found))
    tell(
        as_json,
        {"system": name, "url": found.url, "status": status, "seconds": round(lasted_s, 3)},
        lambda: [line(mark(True), f" {found.url} trả lời {status} sau {vietnamese.seconds(lasted_s)}.")],
    )


def asked(place: Place) -> dict[str, HookView] | None:
    """Ask the running node how the telling goes, by system; None if it does not run, or does not answer."""
    try:
        return {view.system: view for view in run_async(_list(place))}
    except (Fault, TimeoutError):
        return None


def brief(view: HookView | None) -> str:
    """Say in a few words how the telling of one system goes."""
    if view is None:
        return "đã đặt"
    if view.given_up_ms:
        return f"đã ngừng từ {vietnamese.when(view.given_up_ms)}"
    if view.failures:
        return f"đang lỗi ({view.failures} lần)"
    return f"báo lần cuối {vietnamese.when(view.last_success_ms)}" if view.last_success_ms else "chưa báo lần nào"


def addresses(place: Place) -> dict[str, str]:
    """Return what is set, by system: its address, or "" where the file cannot be read."""
    files = _files(place)
    return {name: _address(files, name) for name in files.names()}


def _address(files: "HookFiles", name: str) -> str:
    try:
        found = files.read(name)
    except Fault:
        return ""
    return found.url if found is not None else ""


async def _list(place: Place) -> list[HookView]:
    import asyncio

    async with asyncio.timeout(ASK_S), place.admin() as admin:
        return await admin.list_hooks()


async def _post(place: Place, name: str, found: "HookFile") -> tuple[int, float]:
    import secrets

    from node import __version__
    from node.net.webhook_client import HookClient
    from node.wire.webhook import trial_message

    message = trial_message(name, place.settings().node_id, secrets.token_hex(16), now_ms())
    began_s = time.monotonic()
    status = await HookClient(f"truc {__version__}").post(found.url, found.ca_file, found.secret, message)
    return status, time.monotonic() - began_s


def _files(place: Place) -> "HookFiles":
    from node.access.webhooks import HookFiles

    return HookFiles(place.systems_folder, keys_of(place))


def _require(place: Place, name: str) -> "HookFile":
    from node.access.systems import check_name

    check_name(name)
    found = _files(place).read(name)
    if found is None:
        raise Rejected(
            Reason.NOT_FOUND, f"system {name} has no webhook; set it: truc system webhook set HOME {name} URL"
        )
    return found


def _rows(found: "HookFile", view: HookView | None, *, running: bool) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [("URL", found.url)]
    if found.ca_file:
        rows.append(("Tệp CA", found.ca_file))
    rows.append(("Đặt lúc", vietnamese.when(found.set_ms)))
    if view is None:
        said = "nút vừa được báo, hãy xem lại sau vài giây" if running else "nút không chạy, chưa biết việc báo ra sao"
        return [*rows, ("Tình trạng", text(said, QUIET))]
    rows.append(("Tình trạng", text(brief(view), WARNING if view.failures or view.given_up_ms else "")))
    rows.append(("Đã báo", vietnamese.count(view.told)))
    if view.waiting:
        rows.append(("Đang chờ", vietnamese.count(view.waiting)))
    if view.swallowed:
        rows.append(("Gộp", f"{vietnamese.count(view.swallowed)} việc, báo chung một tin 'inbox.look'"))
    if view.failures:
        rows.append(("Lý do", f"{vietnamese.cause(view.reason)} ({view.detail})"))
    if view.given_up_ms:
        rows.append(("Báo lại", "sửa phần mềm nhận rồi đặt lại URL bằng 'truc system webhook set'"))
    elif view.failures:
        rows.append(("Thử lại", vietnamese.next_attempt(view.next_attempt_ms, now_ms())))
    return rows
