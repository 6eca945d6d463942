"""truc system webhook: the address at which a system is told of events, and how the telling goes (node/ops/webhooks.py)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, now_ms, run_async
from node.cli.output import QUIET, STRONG, WARNING, facts, line, mark, next_steps, tell, text
from node.model.webhook import HookView
from node.ops.describing import sealing_key_in_use
from node.ops.home import Home as Place
from node.ops.home import keys_of
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from node.access.webhooks import HookFile

app = typer.Typer(cls=Noun, no_args_is_help=True)


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
    from node.ops.webhooks import files_of

    place = Place(home)
    public_key = sealing_key_in_use(place, keys_of(place), now_ms())
    secret = files_of(place).set(name, url, ca, now_ms(), public_key, new_secret=new_secret)
    tell(
        as_json,
        {"system": name, "url": url, "secret": secret},
        lambda: [
            line(mark(True), " Hệ thống ", text(name, STRONG), " sẽ được báo tin ở địa chỉ này."),
            facts([("URL", url), ("secret", secret or "như cũ")]),
            *([text("Secret chỉ hiện một lần này; phần mềm dùng nó để kiểm chữ ký.", WARNING)] if secret else []),
            next_steps(
                [
                    ("Thử:", f"truc system webhook test HOME {name}"),
                    ("Xem:", f"truc system webhook show HOME {name}"),
                ]
            ),
        ],
    )


@app.command(cls=HomeCommand)
def off(home: Home, name: Name, as_json: Json = False) -> None:
    """Thôi báo tin cho một hệ thống. Hộp đến vẫn như cũ, phần mềm vẫn hỏi được."""
    from node.ops.webhooks import files_of

    files_of(Place(home)).remove(name)
    tell(as_json, {"off": name}, lambda: [line(mark(True), " Thôi báo tin cho hệ thống ", text(name, STRONG))])


@app.command(cls=HomeCommand)
def show(home: Home, name: Name, as_json: Json = False) -> None:
    """Xem địa chỉ nhận báo tin của một hệ thống và việc báo đang ra sao."""
    from node.ops.webhooks import asked, webhook_of

    place = Place(home)
    found, views = webhook_of(place, name), run_async(asked(place))
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
    from node.ops import webhooks

    place = Place(home)
    found = webhooks.webhook_of(place, name)
    status, lasted_s = run_async(webhooks.try_out(place, name, found, now_ms()))
    tell(
        as_json,
        {"system": name, "url": found.url, "status": status, "seconds": round(lasted_s, 3)},
        lambda: [line(mark(True), f" {found.url} trả lời {status} sau {vietnamese.seconds(lasted_s)}.")],
    )


def brief(view: HookView | None) -> str:
    """Say in a few words how the telling of one system goes."""
    if view is None:
        return "đã đặt"
    if view.given_up_ms:
        return f"đã ngừng từ {vietnamese.when(view.given_up_ms)}"
    if view.failures:
        return f"đang lỗi ({view.failures} lần)"
    return f"báo lần cuối {vietnamese.when(view.last_success_ms)}" if view.last_success_ms else "chưa báo lần nào"


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
