"""truc track: where a packet is, for each recipient: state, reason, next attempt, receipt, statuses."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import deadlines, findings, track_lines
from node.cli.command import As, Json, OptionalHome, now_ms, run_async
from node.cli.output import BAD, QUIET, STRONG, WARNING, console, facts, line, mark, table, tell, text
from node.model.delivery import State
from node.model.life import LifeState
from node.model.office import DeliveryView, TrackView
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent, status_name
from node.office.naming import ID_DIGITS_SHOWN, find, office_of
from node.office.proof import BY_US, read, verified_by
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from node.model.directory import Directory

LOOK_EVERY_S = 1.0
OVERDUE_NAMED_MAX = 5


def track(
    name: Annotated[str, typer.Argument(help="Mã gói, mã lần gửi hoặc DocumentId.", metavar="ID")],
    credential: As,
    home: OptionalHome = None,
    watch: Annotated[bool, typer.Option("--watch", help="Xem tiếp cho tới khi mọi nơi nhận có kết quả.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Hiện đủ mọi nơi nhận, biên nhận, trạng thái, thời hạn.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Theo dõi một gói tin đã gửi, nơi cần để ý đứng trước. Có --home thì tự kiểm lại chữ ký biên nhận theo danh bạ của nút."""
    if watch and as_json:
        raise typer.BadParameter("không dùng cùng --json", param_hint="'--watch'")
    directory = _directory(home) if home else None
    view = run_async(_watch(credential, name, directory, full=full) if watch else _track(credential, name))
    tell(as_json, document_of(view, directory), lambda: [] if watch else shown(view, directory, full=full))


def _directory(home: Path) -> "Directory":
    from node.directory.trust.trust import TrustedFolder

    return TrustedFolder(Place(home).directory).load()


async def _track(credential: Path, name: str) -> TrackView:
    async with office_of(credential) as office:
        return await find(office, name)


async def _watch(credential: Path, name: str, directory: "Directory | None", *, full: bool) -> TrackView:
    import asyncio

    from rich.console import Group
    from rich.live import Live

    async with office_of(credential) as office:
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                view = await find(office, name)
                live.update(Group(*shown(view, directory, full=full)), refresh=True)
                if all(delivery.state.is_final for delivery in view.deliveries):
                    return view
                await asyncio.sleep(LOOK_EVERY_S)


def document_of(view: TrackView, directory: "Directory | None") -> dict[str, object]:
    """Return the view for programs; each delivery says who has verified its receipt.

    A receipt may speak for thousands of units: the whole of it, with the octets that were signed, stands once in `receipts`. A delivery
    has what it says of that unit, and its number there, from 1.
    """
    deliveries, now = [], now_ms()
    numbers: dict[SignedReceipt, int] = {}
    for one in view.deliveries:
        said = plain(replace(one, signed_receipt=None))
        said["deadlines"] = deadlines.documents(one.deadlines, now)
        said["receipt"] = _own_part(one, numbers)
        del said["signed_receipt"]
        said["receipt_verified_by"] = verified_by(one, view.packet_id, directory)
        said["state_name"], said["status_name"] = one.state.label, status_name(one.status_code)
        said["life_name"] = vietnamese.LIVES[one.life]
        deliveries.append(said)
    whole = plain(replace(view, deliveries=()))
    del whole["next_page_token"]
    return {
        **whole,
        "deadlines": deadlines.documents(view.deadlines, now),
        "deliveries": deliveries,
        "receipts": plain(list(numbers)),
    }


def _own_part(one: DeliveryView, numbers: dict[SignedReceipt, int]) -> dict[str, object] | None:
    """Return what a delivery's receipt says of it; None while there is none. `numbers` gets receipts in the order in which they come."""
    if one.signed_receipt is None:
        return None
    number = numbers.setdefault(one.signed_receipt, len(numbers) + 1)
    receipt, outcomes = read(one.signed_receipt)
    own = (outcomes[one.unit],) if one.unit in outcomes else ()
    said: dict[str, object] = plain(replace(receipt, outcomes=own))
    return {**said, "number": number}


def shown(view: TrackView, directory: "Directory | None", *, full: bool = False) -> list["RenderableType"]:
    """Return the view for people: compact, or `full`."""
    now = now_ms()
    heading = facts(
        [
            ("Văn bản", line(text(view.document_code or view.document_id, STRONG), "  ", text(view.subject))),
            ("Nơi gửi", view.sender_unit),
            (
                "Gửi lúc",
                f"{vietnamese.when(view.create_time_ms)}, chờ nhiều nhất tới {vietnamese.when(view.expire_at_ms)}",
            ),
            ("Hạn gửi", deadlines.shown(view.deadlines, now) if view.deadlines else ""),
            ("Hạn trả lời", view.due_date),
            ("Mã gói", view.packet_id.hex()),
            ("Mã lần gửi", view.submission_id),
        ]
    )
    if not full:
        compact = track_lines.lines(view.deliveries, now, lambda one: verified_by(one, view.packet_id, directory))
        return [heading, "", *compact, *_overdue(view, now), *track_lines.finding_lines(view.findings)]
    rows = table(["Nơi nhận", "Tình trạng gửi", "Biên nhận", "Trạng thái xử lý", "Thời hạn"])
    for one in view.deliveries:
        duties = deadlines.shown(one.deadlines, now)
        rows.add_row(_unit(one), _state(one), _receipt(one, view.packet_id, directory), _statuses(one), duties)
    return [heading, rows, *_overdue(view, now), *findings.shown(view.findings)]


def _overdue(view: TrackView, now: int) -> list["RenderableType"]:
    """Name the first few who owe something that is overdue."""
    late = [one for one in view.deliveries if deadlines.overdue(one.deadlines, now)]
    if not late:
        return []
    named = ", ".join(f"{one.unit_name or one.unit}" for one in late[:OVERDUE_NAMED_MAX])
    rest = f" và {len(late) - OVERDUE_NAMED_MAX} nơi khác" if len(late) > OVERDUE_NAMED_MAX else ""
    return [text(f"{len(late)}/{len(view.deliveries)} nơi nhận quá hạn: {named}{rest}", BAD)]


def _unit(one: DeliveryView) -> "Text":
    return line(text(one.unit, STRONG), "\n" if one.unit_name else "", text(one.unit_name))


def _state(one: DeliveryView) -> "Text":
    style = {State.DELIVERED: "green", State.FAILED: BAD, State.WAITING: WARNING}[one.state]
    tries = f"đã thử {one.attempts} lần" if one.attempts and one.state is State.WAITING else ""
    said = line(text(vietnamese.delivery(one, now_ms()), style), "\n" if tries else "", text(tries, QUIET))
    return line(said, "\n", _life(one)) if one.life not in (LifeState.UNKNOWN, LifeState.IN_FORCE) else said


def _life(one: DeliveryView) -> "Text":
    """Tell what has become of the document there, and by which packet: that one can be tracked, too."""
    by = f" (gói {one.life_packet_id.hex()[:ID_DIGITS_SHOWN]})" if one.life_packet_id else ""
    return text(f"văn bản {vietnamese.LIVES[one.life]}{by}", WARNING)


def _receipt(one: DeliveryView, packet_id: bytes, directory: "Directory | None") -> "Text":
    if one.signed_receipt is None:
        return text("chưa có", QUIET)
    by = verified_by(one, packet_id, directory)
    via = f", chuyển về qua {one.relay_node}" if one.relay_node else ""
    said = "vừa kiểm chữ ký" if by == BY_US else "nút đã kiểm chữ ký"
    if by is None:
        return line(mark(False), text(f" của nút {one.node_id}: KHÔNG khớp, hãy báo quản trị", BAD))
    return line(mark(True), text(f" của nút {one.node_id}{via}; {said}"))


def _statuses(one: DeliveryView) -> "Text":
    if not one.statuses:
        return text("chưa có", QUIET)
    history = [line("\n", text(_event(event), QUIET)) for event in one.statuses]
    return line(text(f"{one.status_code} {status_name(one.status_code)}", STRONG), *history)


def _event(event: StatusEvent) -> str:
    note = "" if event.description == status_name(event.code) else f" {event.description}"
    at = vietnamese.when(event.accept_time_ms)
    return f"{event.code} lúc {at[11:16]} {at[:5]}{note}"
