"""Words of the sandbox for people, in Vietnamese with English beside it: that it is one, what to connect where, who answers how."""

from typing import Any

from node.cli.output import BAD, QUIET, STRONG, WARNING, facts, line, next_steps, table, text
from node.wording import vietnamese

BANNER = "HỘP CÁT – KHÔNG PHẢI MẠNG THẬT · SANDBOX – NOT THE REAL MESH"
KINDS_TEXT = "new, old-code, update, withdraw, replace, minimal, full, characters, largest, odd"
HELP = f"""Gõ lệnh rồi Enter / type a command:
  2d | advance 2d        tiến đồng hồ (90s, 15m, 3h, 2d, 1w) / put the clock forward
  send KIND [UNIT]       cho một đơn vị mẫu gửi tới bạn / let a counterpart write to you
                         KIND: {KINDS_TEXT}
  show                   xem lại cách nối / how to connect, once more
  quit                   dừng / stop"""


def shown(state: dict[str, Any], *, kept: bool) -> list[object]:
    """Return what is printed when the sandbox runs."""
    return [
        text(f"  {BANNER}  ", f"bold reverse {WARNING}"),
        text("Ba nút trong một tiến trình, chỉ nghe trong máy này; mọi đơn vị, văn bản đều là mẫu.", QUIET),
        text("Three nodes in one process, on this machine only; every unit and document is made up.", QUIET),
        *_connections(state),
        _units(state),
        _counterparts(state),
        facts(
            [
                ("Giờ hộp cát / its time", _time(state)),
                ("Thư mục / folder", state["folder"] + ("" if kept else " (xóa khi dừng / removed at the end)")),
            ]
        ),
        next_steps(_steps(state)),
        line("\n", text("Dừng / stop: Ctrl-C.", QUIET)),
    ]


def _connections(state: dict[str, Any]) -> list[object]:
    shown: list[object] = []
    for one in state["vxp"]:
        shown.append(line("\n", text("Phần mềm dùng thư viện VXP / software with the VXP library:", STRONG)))
        shown.append(facts([(name, one[name]) for name in ("endpoint", "systemid", "secret")]))
    shown.append(line("\n", text("OfficeService (gRPC), node.client, truc:", STRONG)))
    shown.append(facts([("tệp xác thực / credential", state["credential"]), ("address", state["office_address"])]))
    return shown


def _units(state: dict[str, Any]) -> object:
    shown = table(
        ["Mã mới / code", "Mã cũ / older", "Tên / name"],
        title="\nĐơn vị của bạn / your test units",
        whole=["Mã mới / code", "Mã cũ / older"],
    )
    for one in state["units"]:
        shown.add_row(text(one["code"], STRONG), text(one["old_code"]), text(one["name"]))
    return shown


def _counterparts(state: dict[str, Any]) -> object:
    shown = table(
        ["Gửi tới / write to", "Tên", "Nó làm gì / what it does"],
        title="Đơn vị mẫu tự trả lời: chọn bằng nơi nhận / counterparts: choose by the addressee",
        whole=["Gửi tới / write to"],
    )
    for one in state["counterparts"]:
        shown.add_row(
            line(text(one["code"], STRONG), "\n", text(one["old_code"], QUIET)),
            text(one["name"]),
            line(text(one["manner"]), "\n", text(one["manner_en"], QUIET)),
        )
    return shown


def _time(state: dict[str, Any]) -> str:
    ahead_ms = state["ahead_ms"]
    ahead = f" (nhanh {vietnamese.span(ahead_ms)} / ahead)" if ahead_ms else ""
    return vietnamese.when(state["now_ms"]) + ahead


def _steps(state: dict[str, Any]) -> list[tuple[str, str]]:
    credential = state["credential"]
    return [
        ("Tiến đồng hồ / put the clock forward:", "truc sandbox advance 2d"),
        ("Cho đơn vị mẫu gửi tới bạn / be written to:", "truc sandbox send new"),
        ("Kiểm phần mềm / test your software:", f"truc conformance --endpoint {state['endpoint']}"),
        ("Hộp đến / inbox:", f"truc inbox --as {credential}"),
        ("Bằng thư mục thay phần mềm / a folder instead of software:", f"truc drop --as {credential} thu-muc"),
        ("Bằng chương trình / from your own tests:", f"curl -X POST -d 2d {state['endpoint']}/advance"),
    ]


def advanced(time: dict[str, Any]) -> list[object]:
    """Return what is printed when the clock was put forward."""
    return [
        line(
            "Giờ hộp cát / its time: ",
            text(vietnamese.when(time["now_ms"]), STRONG),
            text(f"  nhanh {vietnamese.span(time['ahead_ms'])}", QUIET),
        )
    ]


def sent(packets: list[dict[str, Any]]) -> list[object]:
    """Return what is printed when counterparts were told to write."""
    return [
        line("Đã gửi / sent: ", text(one["kind"], STRONG), f" → {one['unit']}  ", text(one["document_id"], QUIET))
        for one in packets
    ]


def complaint(sentence: str, detail: str) -> list[object]:
    """Return what is printed for a line that could not be carried out."""
    return [line(text(sentence, BAD), text(f" {detail}", QUIET))]
