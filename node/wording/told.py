"""Faults as people are told of them: one sentence for what happened, at the door where they stand.

A Reason is shared by many who raise it, so its advice (errors.ADVICE) is general. The detail says which case it is, in English, for
logs and programs. Here the usual details have a sentence of their own, with the value in it; who meets one of them is told nothing
more, and never the English. What is not listed gets the advice, and the detail as it is.

The doors differ in what people there can do: no command at the bridge or in the drop folder, none that would need HOME at an office.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from node.errors import ADVICE, Fault, kind_of
from node.model.reason import Reason


class Door(Enum):
    """Where somebody is told."""

    COMMAND = 1
    BRIDGE = 2
    FOLDER = 3


class Told(NamedTuple):
    """A sentence, and what is left to say in small print ("": nothing)."""

    sentence: str
    detail: str = ""


class _Case(NamedTuple):
    reason: Reason
    detail: re.Pattern[str]
    sentence: str
    elsewhere: str = ""
    """The sentence where there is no command line; "": the same."""


_NAME = r"'(?P<name>.*)'|\"(?P<quoted>.*)\""


def _case(reason: Reason, detail: str, sentence: str, elsewhere: str = "") -> _Case:
    return _Case(reason, re.compile(detail, re.DOTALL), sentence, elsewhere)


_SHAPES = "Dạng đúng: H49.22.05, 000.05.22.H49, Z01ABC hoặc số đăng ký doanh nghiệp (10, 12, 13 chữ số)."

_CASES = (
    # What is not there.
    _case(
        Reason.NOT_FOUND,
        rf"no node (?:{_NAME}) in the directory",
        "Danh bạ không có nút nào tên {name}. Xem các nút: truc peer list HOME",
    ),
    _case(Reason.NOT_FOUND, r"no system (?P<name>\S+)", "Nút này không có hệ thống {name}. Xem: truc system list HOME"),
    _case(
        Reason.NOT_FOUND,
        r"no packet (?P<name>[0-9a-f]+) for this system",
        "Không có gói tin {name} trong hộp của các đơn vị mà hệ thống được giao.",
    ),
    _case(
        Reason.NOT_FOUND,
        rf"no packet, submission or document (?:{_NAME}) of this system.*",
        "Hệ thống này chưa gửi gói tin, lần gửi hay văn bản nào tên {name}. Hãy ghi mã gói, mã lần gửi hoặc DocumentId.",
    ),
    _case(
        Reason.NOT_FOUND,
        rf"nothing in the inbox (?:begins with (?P<digits>\S+)|is named (?:{_NAME}))",
        "Hộp đến không có gói tin hay văn bản nào tên {name}. Xem: truc inbox",
        "Hộp đến không có gói tin hay văn bản nào tên {name}.",
    ),
    _case(
        Reason.NOT_FOUND,
        r"(?P<name>\S+) is not granted to system (?P<system>\S+)",
        "Hệ thống {system} không có {name}. Xem: truc system list HOME",
    ),
    _case(Reason.NOT_FOUND, r"(?P<name>\S+) is not granted to (?P<node>\S+)", "Nút {node} không giữ mã {name}."),
    _case(
        Reason.RECIPIENT_UNKNOWN,
        r"there is no unit (?P<name>\S+) in this zone",
        "Vùng của nút này không có đơn vị {name}. Xem: truc unit list HOME",
    ),
    _case(
        Reason.RECIPIENT_UNKNOWN,
        r"(?:no recipient can be served: )?(?P<name>[0-9A-Z.,\- ]+)",
        "Danh bạ không có đơn vị {name}. Tìm đúng mã: truc unit search TÊN",
        "Danh bạ không có đơn vị {name}.",
    ),
    _case(
        Reason.NOT_ALL_SERVED,
        r"cannot be served: (?P<name>.+)",
        "Không gửi được tới {name} nên cả gói bị từ chối. Hãy sửa hoặc bỏ nơi nhận này, hoặc bỏ --all-or-nothing.",
        "Không gửi được tới {name} nên cả gói bị từ chối. Hãy sửa hoặc bỏ nơi nhận này rồi gửi lại.",
    ),
    _case(
        Reason.HOME_MISSING,
        r"(?:no (?P<name>.+)/node\.toml|(?P<other>.+)/zone holds no zone)",
        "Thư mục {name} không có nút nào. Kiểm tra lại đường dẫn, hoặc lập nút: truc node create",
    ),
    _case(
        Reason.HOME_MISSING,
        r"(?P<name>.+) holds no authority",
        "Thư mục {name} không phải của một cơ quan vận hành danh bạ.",
    ),
    # Who may not.
    _case(
        Reason.CREDENTIAL_MISSING,
        r"(?P<name>.+): No such file or directory",
        "Không có tệp xác thực {name}. Quản trị nút cấp bằng 'truc system add'; chỉ tới nó bằng --as.",
    ),
    _case(
        Reason.KEY_FILE_EXPOSED,
        r"(?P<name>.+) has mode \d+",
        "Người khác đọc được tệp {name}. Hãy chạy: chmod 600 {name}",
    ),
    _case(
        Reason.UNIT_NOT_OWNED,
        r"system (?P<system>\S+) does not speak for (?P<name>\S+)",
        "Hệ thống {system} không được nói thay {name}. Quản trị nút giao thêm: truc system edit HOME {system} --add {name}",
        "Hệ thống {system} không được nói thay {name}. Hãy đề nghị quản trị nút giao thêm đơn vị.",
    ),
    _case(
        Reason.UNIT_NOT_OWNED,
        r"system (?P<system>\S+) does not speak for (?P<name>\S+), for which (?P<alias>\S+) stands",
        "Hệ thống {system} không được nói thay {name} (mã tương đương {alias} chỉ tới đó).",
    ),
    _case(
        Reason.UNIT_NOT_OWNED,
        r"unit (?P<name>\S+) is under none of the units of system (?P<system>\S+)",
        "Đơn vị {name} không nằm dưới đơn vị nào của hệ thống {system}.",
    ),
    _case(
        Reason.PEER_SPEAKS_FOR_OTHERS,
        r"prefix (?P<name>\S+) is granted to (?P<node>\S+)",
        "Mã {name} đã giao cho nút {node}; mỗi mã chỉ một nút giữ.",
    ),
    # What was written wrong.
    _case(
        Reason.CODE_MALFORMED,
        rf"not an? (?:opaque )?identifier code: (?:{_NAME})",
        "{name} không phải mã định danh. {shapes}",
    ),
    _case(
        Reason.REQUEST_INVALID,
        rf"(?:{_NAME}): a packet id is 32 hex digits, or the first (?P<few>\d+) or more",
        "{name} không phải mã gói: mã gói có 32 chữ số 0-9, a-f; ghi {few} chữ số đầu trở lên cũng được.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"(?P<name>\S+) begins (?P<few>\d+) packet ids; give more digits",
        "{few} gói tin cùng bắt đầu bằng {name}; hãy ghi thêm chữ số.",
    ),
    _case(Reason.REQUEST_INVALID, r"(?P<name>[^:]+): No such file or directory", "Không có tệp hay thư mục {name}."),
    _case(Reason.REQUEST_INVALID, r"(?P<name>[^:]+): Is a directory", "{name} là thư mục, không phải tệp."),
    _case(Reason.REQUEST_INVALID, r"(?P<name>[^:]+): Permission denied", "Không được phép đọc hoặc ghi {name}."),
    _case(Reason.REQUEST_INVALID, r"(?P<name>.+) is not a folder", "{name} không phải thư mục."),
    _case(
        Reason.REQUEST_INVALID,
        r"\S+: (?:short )?name of (?P<name>\S+) is empty, longer than (?P<few>\d+) characters or has control characters",
        "Tên của đơn vị {name} trống, dài quá {few} ký tự hoặc có ký tự điều khiển.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"\S+: mail of (?P<name>\S+) is longer than (?P<few>\d+) characters or has control characters",
        "Địa chỉ thư của đơn vị {name} dài quá {few} ký tự hoặc có ký tự điều khiển.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"(?P<name>\S+) is not among the signed header fields",
        "Yêu cầu thiếu {name} trong phần đã ký.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"the library does not sign this order; it is taken over https only",
        "Việc này chỉ nhận qua https, vì thư viện không ký nội dung của nó.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"this very order was carried out before.*",
        "Chính yêu cầu này đã được thực hiện trước đó và không làm lại; hãy ký yêu cầu mới.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"(?P<name>\S+) is an opaque code, which cannot be an alias",
        "Mã riêng {name} không làm mã tương đương được.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        rf"(?:{_NAME}) is no date; write .*",
        "{name} không phải một ngày; hãy ghi 05/10/2026 hoặc 2026-10-05.",
    ),
    _case(
        Reason.REQUEST_INVALID,
        rf"(?:{_NAME}) is no degree of urgency; known: (?P<few>.*)",
        "{name} không phải mức độ khẩn; có: {few}.",
    ),
    _case(Reason.REQUEST_INVALID, r"the body is not JSON.*", "Nội dung yêu cầu không phải JSON viết bằng UTF-8."),
    _case(
        Reason.REQUEST_INVALID,
        r"a system needs at least one unit",
        "Hệ thống phải còn ít nhất một đơn vị; muốn ngắt hẳn thì dùng: truc system revoke HOME TÊN",
    ),
    _case(
        Reason.REQUEST_INVALID,
        r"a system's name is 1 to 64 characters of .*",
        "Tên hệ thống gồm 1 đến 64 ký tự: chữ thường, số, gạch nối, gạch dưới.",
    ),
    _case(Reason.REQUEST_INVALID, r"code and name are needed", "Thiếu code hoặc name."),
    _case(
        Reason.ALREADY_EXISTS, r"(?P<name>.+); --force replaces it", "Tệp {name} đã có. Muốn ghi đè thì thêm --force."
    ),
    _case(
        Reason.ALREADY_EXISTS,
        r"(?P<name>.+) is another root",
        "Nút này đã tin một gốc danh bạ khác ({name}). Nếu đúng là đổi cơ quan vận hành thì lập nút mới; nếu không, có thể có kẻ "
        "giả danh bạ.",
    ),
    _case(Reason.ALREADY_EXISTS, r"(?P<name>\S+)", "{name} đã có; truc không ghi đè. Hãy chọn tên khác."),
    # The directory.
    _case(
        Reason.DIRECTORY_INVALID,
        r"the root's fingerprint is (?P<found>\S+), not (?P<name>.+)",
        "Dấu vân tay KHÔNG khớp: thư mục này là {found}, được đọc cho là {name}. Có thể có kẻ giả danh bạ: đừng dùng thư mục này, "
        "hãy gọi lại cơ quan vận hành danh bạ theo số điện thoại đã biết từ trước.",
    ),
    _case(
        Reason.DIRECTORY_INVALID,
        r"join request: cannot be read",
        "Tệp này không phải tệp xin kết nạp (join-request.truc) của một nút.",
    ),
    _case(
        Reason.DIRECTORY_INVALID,
        r"zone update: cannot be read",
        "Tệp này không phải tệp vùng do 'truc unit publish' tạo ra.",
    ),
    _case(
        Reason.DIRECTORY_INVALID,
        r"(?P<name>\S+): is not an admitted node",
        "Nút {name} chưa được kết nạp vào danh bạ này. Xem: truc authority show FOLDER",
    ),
    _case(
        Reason.DIRECTORY_INVALID,
        r"(?P<name>\S+) is missing",
        "Thư mục này không phải danh bạ đã công bố: thiếu {name}.",
    ),
    _case(
        Reason.DIRECTORY_INVALID,
        r"(?P<name>.+) holds no metadata/1\.root\.json",
        "Thư mục {name} không phải thư mục public của cơ quan vận hành danh bạ (thiếu metadata/1.root.json).",
    ),
    # The machine and the line.
    _case(
        Reason.HOME_IN_USE,
        r"(?:IO error: While lock file: )?(?P<name>.+?)(?:/LOCK: .*)?",
        "Một tiến trình truc khác đang dùng {name}. Hãy dừng nó trước, hoặc làm việc này khi nút dừng.",
    ),
    _case(
        Reason.PEER_UNREACHABLE,
        r".*ipv[46]:(?:%5B)?(?P<name>[0-9a-f.:%D]+): Failed to connect to remote host: Connection refused.*",
        "Không có chương trình nào nghe ở {name}: nút chưa chạy, hoặc chạy ở địa chỉ khác. Chạy nút: truc serve HOME",
        "Không có chương trình nào nghe ở {name}: nút chưa chạy, hoặc chạy ở địa chỉ khác.",
    ),
    _case(
        Reason.PEER_UNREACHABLE,
        r".*(?:DEADLINE_EXCEEDED|Deadline Exceeded|timeout|Timeout).*",
        "Nút không trả lời kịp. Hãy xem nút có quá tải không (truc health HOME), rồi thử lại.",
        "Nút không trả lời kịp; hãy thử lại sau.",
    ),
)

_OF_COMMANDS = re.compile(
    r"'truc |\btruc (?:ack|authority|calendar|doctor|drop|export|fetch|health|hold|inbox|node|outbox|packet|peer|serve|status|store|submit"
    r"|support-bundle|system|track|unit)\b|--[a-z]|\bTRUC_|tùy chọn"
)
_VIETNAMESE = re.compile("[àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ]", re.IGNORECASE)


def told(fault: Fault, door: Door = Door.COMMAND) -> Told:
    """Return how a fault is told at a door; a fault whose class has an advice of its own has said all."""
    if type(fault) is not kind_of(fault.reason):
        own = fault.advice
        return Told(own, fault.detail if _is_vietnamese(fault.detail) else "")
    return words(fault.reason, fault.detail, door)


def words(reason: Reason, detail: str, door: Door = Door.COMMAND) -> Told:
    """Return how a reason and its detail are told at a door."""
    for case in _CASES:
        if case.reason is reason and (found := case.detail.fullmatch(detail)):
            sentence = case.sentence if door is Door.COMMAND else case.elsewhere or _without_command(case.sentence)
            return Told(sentence.format_map(_values(found)))
    advice = ADVICE[reason] if door is Door.COMMAND else _without_command(ADVICE[reason])
    if reason is Reason.REQUEST_INVALID and _is_vietnamese(detail):
        return Told(_as_sentence(detail))
    return Told(advice, detail)


def _values(found: re.Match[str]) -> dict[str, str]:
    given = {key: value for key, value in found.groupdict().items() if value is not None}
    name = next((given[key] for key in ("name", "quoted", "digits", "other") if key in given), "")
    return {"shapes": _SHAPES + _strange_in(name), **given, "name": name or "(trống)"}


def _strange_in(code: str) -> str:
    """Name what cannot be seen, or looks like something else, in a code that was pasted."""
    kinds: list[tuple[Callable[[str], bool], str]] = [
        (lambda c: c in "\u00a0\u2007\u202f\u3000\u200b\u200e\ufeff", "dấu cách lạ không nhìn thấy"),
        (lambda c: "\uff00" <= c <= "\uff5e", "chữ hoặc số cỡ rộng (kiểu Trung, Nhật)"),
        (lambda c: c.isspace(), "dấu cách"),
        (lambda c: c in "\u2010\u2011\u2012\u2013\u2014\u2212", "dấu gạch dài"),
        (lambda c: c in ",;/\\", "dấu ngăn cách khác dấu chấm"),
        (lambda c: not c.isascii(), "chữ có dấu hoặc chữ nước ngoài"),
    ]
    for character in _unescaped(code):
        for is_it, what in kinds:
            if is_it(character):
                return f" Trong đó có {what}."
    return ""


def _unescaped(text: str) -> str:
    r"""Undo \xa0 and \u200b, as a detail's repr writes what cannot be seen."""
    return re.sub(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})", lambda found: chr(int(found[1] or found[2], 16)), text)


def _is_vietnamese(text: str) -> bool:
    return _VIETNAMESE.search(text) is not None


def _as_sentence(text: str) -> str:
    # A file's name stays as it is written, and a command at the end must be pasted without a full stop.
    is_name = re.match(r"[^\s:]*[./]", text) is not None
    first = text if is_name else text[:1].upper() + text[1:]
    ends = first.endswith((".", "!", "?", ":")) or "\n" in first or re.search(r"\btruc [a-z][^.]*(\.\S[^.]*)*$", first)
    return first if ends else f"{first}."


def _without_command(sentence: str) -> str:
    """Return a sentence without the parts that name a command or an option, which only those at a command line can use."""
    parts = re.split(r"(?<=[.;])\s+", sentence)
    kept = [part for part in parts if not _OF_COMMANDS.search(part)]
    return " ".join(kept or parts[:1]).rstrip(";")
