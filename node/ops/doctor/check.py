"""One finding of a check-up: a row, with what was seen and what to do."""

from dataclasses import dataclass
from enum import Enum

from node.errors import Fault


class State(Enum):
    """How it is."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


MARKS: dict[State, bool | None] = {State.FINE: True, State.WARNING: None, State.WRONG: False}

TITLES = {
    "home": "Thư mục nút",
    "settings": "Cấu hình",
    "keys": "Khóa riêng",
    "tls": "Chứng thư TLS",
    "admin_token": "Khóa quản trị",
    "zone": "Vùng của nút",
    "directory": "Danh bạ",
    "admission": "Kết nạp",
    "entry": "Mục trong danh bạ",
    "units": "Đơn vị",
    "aliases": "Mã tương đương",
    "systems": "Hệ thống",
    "vxp": "Cầu VXP",
    "webhooks": "Báo tin",
    "files": "Quyền tệp",
    "key_ages": "Tuổi khóa",
    "strays": "Tệp lạ",
    "signing_keys": "Khóa ký",
    "sealing_keys": "Khóa mở",
    "disk": "Đĩa",
    "clock": "Đồng hồ",
    "time_sync": "Đồng bộ giờ",
    "calendar": "Lịch làm việc",
    "store": "Kho dữ liệu",
    "running": "Tiến trình",
    "port": "Cổng",
    "peers": "Nút bạn",
    "inbound": "Nút bạn gọi vào",
    "versions": "Phiên bản",
    "outbox": "Hộp đi",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One row; `name` is one of TITLES and stable for programs. Fine things need no advice."""

    name: str
    state: State
    said: str
    advice: str = ""

    @property
    def title(self) -> str:
        """Vietnamese title of the row."""
        return TITLES[self.name]


def fine(name: str, said: str) -> Check:
    """Return a row about something that is as it should be."""
    return Check(name, State.FINE, said)


def warning(name: str, said: str, advice: str) -> Check:
    """Return a row about something that an operator should know."""
    return Check(name, State.WARNING, said, advice)


def wrong(name: str, said: str, advice: str) -> Check:
    """Return a row about something that keeps the node from working."""
    return Check(name, State.WRONG, said, advice)


def from_fault(name: str, fault: Fault) -> Check:
    """Return a row about something that failed when it was tried."""
    return wrong(name, fault.detail or fault.reason.name, fault.advice)
