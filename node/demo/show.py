"""How the demo tells its story: line by line for people, not at all for programs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, console, facts, line, mark, show, table, text
from node.demo.letters import Letter
from node.demo.world import BRIDGED_UNIT, NODE_OF_UNIT, PLACES, UNIT_NAMES
from node.model.delivery import State
from node.model.lane import Lane, lane_of_priority
from node.model.office import DeliveryView, TrackView
from node.model.status import status_name
from node.ops.world import World
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.text import Text

    from node.demo.figures import Figures
    from node.demo.nodes import Running

INDENT = 3


class Teller:
    """Prints to the terminal, or nothing if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._screen = None if quiet else console()

    def say(self, *parts: Any) -> None:
        """Print one line, or one table."""
        if self._screen is not None:
            show(self._screen, parts[0] if len(parts) == 1 else line(*parts))

    def opening(self) -> None:
        """Tell what is going to happen."""
        self.say(text("truc demo", STRONG), "  một Bộ, hai tỉnh và một trung tâm, mỗi nút một tiến trình trên máy này")
        note = "Tên Bộ, tỉnh lấy trong danh mục mã định danh; đơn vị cấp dưới và mọi văn bản đều là mẫu."
        self.say(text(note, QUIET))

    def built(self, world: World, duration_s: float) -> None:
        """The folders are there."""
        units = sum(len(place.units) for place in PLACES)
        self.say(
            "\n", mark(True), f" Danh bạ đã ký: {len(PLACES)} nút, {units} đơn vị ({vietnamese.seconds(duration_s)})"
        )
        self.say(text(f"  dấu vân tay {world.fingerprint}", QUIET))

    def running(self, nodes: "Sequence[Running]", ports: Mapping[str, str], duration_s: float) -> None:
        """The processes are there."""
        self.say(
            mark(True), f" {len(nodes)} nút đang chạy, gọi nhau bằng TLS hai chiều ({vietnamese.seconds(duration_s)})"
        )
        columns, right = ["Nút", "Tên", "Tiền tố", "Tiến trình", "Cổng", "Ghi chú"], ["Tiến trình", "Cổng"]
        shown = table(columns, right=right, whole=["Nút", "Tiến trình", "Cổng"])
        for one, place in zip(nodes, PLACES, strict=True):
            note = "chuyển tiếp, danh bạ" if place.roles else "chỉ gọi được qua trung tâm" if place.via_relays else ""
            note = f"{BRIDGED_UNIT} nối bằng cầu VXP" if place.is_bridged else note
            cells = [one.node_id, place.name, place.prefix or "–", one.pid, ports[one.node_id], note]
            shown.add_row(*map(text, cells))
        self.say(shown)

    def letter(self, number: int, letter: Letter, packet_bytes: int) -> None:
        """A document is about to be sent."""
        urgency = lane_of_priority(letter.priority)
        urgent = text(f"{urgency.label.upper()} ", f"bold {BAD}") if urgency is not Lane.NORMAL else ""
        size = vietnamese.size(packet_bytes) + (f", kèm {letter.attachment}" if letter.attachment else "")
        self.say("\n", text(f"{number}. {letter.title}", f"{STRONG} cyan"))
        self._under(urgent, text(letter.code, STRONG), f"  {letter.subject}")
        self._under(text(f"{_unit(letter.sender)} gửi{_by_bridge(letter.sender)}, {size}", QUIET))

    def taken(self, node_id: str, packet_id: bytes, duration_s: float) -> None:
        """The author's node holds it."""
        named = text(f"mã gói {packet_id.hex()[:10]}…", QUIET)
        self._under(mark(True), f" nút {node_id} đã ghi chắc xuống đĩa sau {vietnamese.seconds(duration_s)}, ", named)

    def arrived(self, unit: str, waited_s: float, statuses: Sequence[str], *, identical: bool) -> None:
        """A recipient has it, and has answered."""
        same = text("đúng từng byte", GOOD) if identical else text("KHÁC BẢN GỬI", f"bold {BAD}")
        said = " · ".join(f"{code} {status_name(code)}" for code in statuses)
        self._under(mark(identical), f" {_unit(unit)} lấy{_by_bridge(unit)} sau {vietnamese.seconds(waited_s)}, ", same)
        self._under(text(f"  báo {said}", QUIET))

    def proved(self, node_id: str, relay_node: str, units: int, *, genuine: bool) -> None:
        """A recipient's node has given its receipt to the author's node."""
        via = text(f" qua {relay_node}", WARNING) if relay_node else ""
        said = "chữ ký đúng" if genuine else "CHỮ KÝ SAI"
        self._under(mark(genuine), f" biên nhận của nút {node_id} cho {units} nơi nhận đã về", via, f", {said}")

    def waiting_for_statuses(self) -> None:
        """Everything is sent."""
        self.say("\n", text("Chờ mọi trạng thái về tới nơi gửi, và tự kiểm chữ ký mọi biên nhận…", QUIET))

    def ending(self, documents: Sequence[TrackView], figures: "Figures") -> None:
        """Show what the authors see, and the figures."""
        self.say(_documents(documents))
        self.say(facts(_figures(figures)))

    def _under(self, *parts: Any) -> None:
        """Print one line under a heading; it stays indented where it has to be broken."""
        from rich.padding import Padding

        self.say(Padding(line(*parts), (0, 0, 0, INDENT)))


def _documents(documents: Sequence[TrackView]) -> Any:
    """One row for each document and each node that it went to."""
    columns = ["Văn bản", "Nơi nhận", "Đường đi", "Biên nhận", "Trạng thái"]
    shown = table(columns, title="\nNơi gửi thấy gì", whole=["Văn bản", "Biên nhận"])
    for view in documents:
        name = view.document_code
        for node_id in dict.fromkeys(one.node_id for one in view.deliveries):
            of_node = [one for one in view.deliveries if one.node_id == node_id]
            road = text(_road(view, of_node[0]))
            shown.add_row(text(name, STRONG), text(_units(of_node)), road, _receipts(of_node), text(_statuses(of_node)))
            name = ""
    return shown


def _road(view: TrackView, one: DeliveryView) -> str:
    nodes = [NODE_OF_UNIT[view.sender_unit], one.relay_node, one.node_id]
    return " → ".join(node for node in nodes if node)


def _units(of_node: Sequence[DeliveryView]) -> str:
    if len(of_node) == 1:
        return _unit(of_node[0].unit) + _by_bridge(of_node[0].unit)
    return f"{len(of_node)} nơi: " + ", ".join(one.unit + _by_bridge(one.unit) for one in of_node)


def _by_bridge(unit: str) -> str:
    return " (cầu VXP)" if unit == BRIDGED_UNIT else ""


def _receipts(of_node: Sequence[DeliveryView]) -> "Text":
    delivered = sum(one.state is State.DELIVERED for one in of_node)
    return line(mark(delivered == len(of_node)), text(f" {delivered}/{len(of_node)} đã đến"))


def _statuses(of_node: Sequence[DeliveryView]) -> str:
    return ", ".join(dict.fromkeys(f"{one.status_code} {status_name(one.status_code)}" for one in of_node))


def _figures(figures: "Figures") -> list[tuple[str, object]]:
    kinds = f"{figures.documents_sent} văn bản, {figures.packets_sent - figures.documents_sent} trạng thái"
    signed = f"{figures.receipts_verified}/{figures.deliveries} có chữ ký đúng, kiểm lại theo danh bạ của nơi gửi"
    return [
        ("Gói tin", f"{figures.packets_delivered}/{figures.packets_sent} đã tới: {kinds}"),
        ("Qua trung tâm", f"{figures.packets_relayed} gói; trung tâm chỉ giữ hộ bản mã hóa, không đọc được"),
        ("Cầu VXP", f"{figures.bridged} gói mà phần mềm của {_unit(BRIDGED_UNIT)} gửi và nhận, như với trục quốc gia"),
        ("Biên nhận", signed),
        ("Trạng thái", f"{figures.statuses_returned} trạng thái đã về tới nơi gửi"),
        ("Nội dung", _comparison(figures)),
        ("Thời gian", vietnamese.seconds(figures.seconds)),
    ]


def _comparison(figures: "Figures") -> "Text":
    if figures.bytes_identical:
        return text(f"{figures.copies_compared}/{figures.copies_compared} bản nhận được đúng từng byte", GOOD)
    return text("có bản nhận được khác bản gửi", f"bold {BAD}")


def _unit(code: str) -> str:
    return f"{UNIT_NAMES[code]} [{code}]"
