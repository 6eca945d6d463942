"""truc node accept-rollback: an operator's decision to go on with a store that has gone back in time (node/store/embedded/fence.py).

Nothing can bring back what the store has forgotten; only the operator knows whether the right folder still exists somewhere. So the
command says what was lost and what must be done about it, and lifts nothing without --yes. It opens the store to know, which replays
RocksDB's log: whoever wants the folder as it was found copies it first, as the book says.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, run_async
from node.cli.output import WARNING, facts, line, mark, next_steps, tell, text
from node.errors import Broken
from node.ops import home as homes
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.store.embedded.fence import Fence


def accept_rollback(
    home: Home,
    yes: Annotated[
        bool, typer.Option("--yes", help="Thư mục đúng không còn ở đâu nữa: chấp nhận mất, mở khóa nút.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Mở khóa nút có kho bị lùi (STORE_ROLLED_BACK), sau khi đã tìm thư mục đúng mà không còn. Nút phải đang dừng."""
    place = homes.Home(home)
    place.require_real()
    fence = run_async(_accept(place, place.settings().node_id, yes))
    if fence is None:
        tell(as_json, {"home": str(home), "fenced": False}, lambda: [line(mark(True), " Kho không bị khóa.")])
        return
    document = {
        "home": str(home),
        "fenced": not yes,
        "detail": fence.detail,
        "db_commit_no": fence.db_commit_no,
        "witness_commit_no": fence.witness_commit_no,
    }
    tell(as_json, document, lambda: _told(place, fence, accepted=yes))
    if not yes:
        raise typer.Exit(Broken.exit_code)


async def _accept(place: homes.Home, node_id: str, yes: bool) -> "Fence | None":
    """Return the fence that stands, or stood; None if there is none. Raises what opening the store raises, HOME_IN_USE among it."""
    from node.store.rocks.store import RocksStore

    if not place.store.exists() and not place.witness.exists():
        return None  # it has never run, and need not begin here
    store = RocksStore.open(place.store, place.witness, node_id=node_id)
    try:
        fence = store.fence
        if fence is not None and yes:
            await store.accept_rollback()
        return fence
    finally:
        await store.close()


def _told(place: homes.Home, fence: "Fence", *, accepted: bool) -> "list[RenderableType]":
    said = " Nút đã được mở khóa; kho bắt đầu một đời mới." if accepted else " Kho bị lùi: nút đang tự khóa."
    return [
        line(mark(accepted), said),
        facts(
            [
                ("Kho biết tới giao dịch", vietnamese.count(fence.db_commit_no)),
                ("Nhân chứng đã thấy", vietnamese.count(fence.witness_commit_no)),
                ("Chi tiết", fence.detail),
            ]
        ),
        *(_after() if accepted else _before(place)),
    ]


def _before(place: homes.Home) -> "list[RenderableType]":
    return [
        text(
            "Mở khóa là chấp nhận mất những gì kho đã quên: văn bản đã nhận mà chưa lấy, văn bản đã gửi mà chưa tới, trạng thái. "
            "Nút khác có biên nhận của nút này nên sẽ không tự gửi lại.",
            WARNING,
        ),
        next_steps(
            [
                ("Thư mục đúng còn ở đâu đó (máy ảo trước khi lùi, đĩa cũ): dừng nút, đưa nó về", str(place.path)),
                (
                    "Không còn: chép nguyên thư mục nút ra nơi khác, rồi mở khóa",
                    "truc node accept-rollback HOME --yes",
                ),
            ]
        ),
    ]


def _after() -> "list[RenderableType]":
    return [
        text(
            "Hãy báo các cơ quan trao đổi với nút này: văn bản gửi tới và gửi đi từ lúc có bản kho này tới nay phải được đối chiếu, "
            "thiếu thì gửi lại (bằng một lần gửi mới).",
            WARNING,
        ),
        next_steps([("Chạy nút:", "systemctl start truc"), ("Xem đã khỏe chưa:", "truc doctor")]),
    ]
