"""muc-luc.html: what the archive holds, for people. One page without scripts, fonts or pictures, so that any browser of any year shows it.

Every text from outside is escaped, and links lead to files of the archive only.
"""

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from node.archive.facts import Facts, PacketFacts
from node.archive.history import events
from node.archive.sink import CHECKSUMS
from node.model.office import DeliveryView
from node.model.status import status_name
from node.wording import vietnamese
from node.wording.vietnamese import LIVES, clean

_PAGE = """<!DOCTYPE html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: "Times New Roman", serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 1.5em; }}
th, td {{ border: 1px solid #999; padding: 0.3em 0.5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }}
.missing {{ color: #a00; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
_TO_CHECK = (
    f"Kiểm tra toàn bộ tệp: chạy <code>sha256sum -c {CHECKSUMS}</code> trong thư mục này. "
    "Tệp trong <code>goi-tin/</code> đúng từng byte như khi gửi, nhận. Tệp <code>.bin</code> trong <code>bien-nhan/</code> là biên nhận "
    "có chữ ký số của nút (thông điệp truc.v1.SignedReceipt); tệp <code>.json</code> cùng tên là nội dung của nó."
)


def page(facts: Facts) -> str:
    """Return the page."""
    dossier = facts.dossier
    title = f"Hồ sơ văn bản {dossier.document_code or dossier.document_id}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        _facts(facts),
        *_missing(facts),
        "<h2>Gói tin</h2>",
        _table(["Số", "Gói tin", "Nơi gửi", "Thời điểm", "Nội dung", "Tệp"], map(_packet, facts.packets)),
        *_deliveries(facts),
        "<h2>Diễn biến</h2>",
        _table(["Thời điểm", "Đơn vị", "Việc", "Gói số", "Nội dung"], _history(facts)),
        *_metadata(facts),
        f"<p>{_TO_CHECK}</p>",
    ]
    return _PAGE.format(title=_text(title), body="\n".join(parts))


def _facts(facts: Facts) -> str:
    dossier = facts.dossier
    rows = [
        ("Trích yếu", dossier.subject),
        ("Số, ký hiệu", dossier.document_code),
        ("Mã định danh văn bản", dossier.document_id),
        ("Nơi ban hành", dossier.author_unit),
        ("Lưu tại", f"{dossier.unit} ({'nơi gửi' if facts.is_author else 'nơi nhận'})"),
        ("Hiệu lực", "" if facts.is_author else LIVES[dossier.life]),
    ]
    return _table([], ([_text(name), _text(value)] for name, value in rows if value))


def _missing(facts: Facts) -> list[str]:
    if not facts.problems:
        return []
    items = "".join(f"<li>{_text(one)}</li>" for one in facts.problems)
    return [f'<h2 class="missing">Không có trong hồ sơ này</h2><ul class="missing">{items}</ul>']


def _packet(one: PacketFacts) -> list[str]:
    entry = one.entry
    files = (
        [_link(one.file.name, f"gói tin ({vietnamese.size(one.file.size_bytes)})")] if one.file else ["không còn giữ"]
    )
    files += [_link(file.file.name, file.name) for file in one.attachments if file.file]
    files += [_link(f"{name}.json", "biên nhận") + " " + _link(f"{name}.bin", "(chữ ký)") for name in one.receipts]
    made = f"{one.title}, nút tự báo" if entry.by_node else one.title
    return [
        str(one.number),
        f"{_text(made)}<br>{entry.packet_id.hex()}",
        _text(entry.sender_unit),
        vietnamese.when(entry.accept_time_ms),
        _text(entry.note),
        "<br>".join(files),
    ]


def _deliveries(facts: Facts) -> list[str]:
    """Where the document went: only its author knows."""
    rows = [
        [str(one.number), *_delivery(view)]
        for one in facts.packets
        if one.track and not one.entry.status_code
        for view in one.track.deliveries
    ]
    if not rows:
        return []
    return ["<h2>Nơi nhận</h2>", _table(["Gói số", "Nơi nhận", "Tình trạng gửi", "Trạng thái xử lý", "Hiệu lực"], rows)]


def _delivery(view: DeliveryView) -> list[str]:
    at = f" lúc {vietnamese.when(view.end_time_ms)}" if view.end_time_ms else ""
    reason = f": {vietnamese.cause(view.reason)}" if view.reason else ""
    statuses = [f"{one.code} {status_name(one.code)}, {vietnamese.when(one.accept_time_ms)}" for one in view.statuses]
    return [
        _text(f"{view.unit} {view.unit_name}"),
        _text(f"{view.state.label}{at}{reason}"),
        "<br>".join(map(_text, statuses)),
        _text(LIVES[view.life]),
    ]


def _history(facts: Facts) -> Iterable[list[str]]:
    for one in events(facts):
        yield [vietnamese.when(one.at_ms), _text(one.unit), _text(one.what), str(one.number), _text(one.note)]


def _metadata(facts: Facts) -> list[str]:
    if not facts.metadata:
        return []
    rows = [
        [
            _text(one.name),
            _text(one.label),
            "<br>".join(map(_text, one.values))
            + (f" <em>(dài quá {one.length_max} ký tự)</em>" if one.too_long else ""),
        ]
        for one in facts.metadata
    ]
    return ["<h2>Siêu dữ liệu</h2>", _table(["Trường", "Ý nghĩa", "Giá trị"], rows)]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are HTML already."""
    head = "<tr>" + "".join(f"<th>{_text(name)}</th>" for name in columns) + "</tr>\n" if columns else ""
    return (
        f"<table>\n{head}"
        + "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
        + "</table>"
    )


def _text(value: str) -> str:
    return escape(clean(value))


def _link(name: str, shown: str) -> str:
    return f'<a href="{escape(quote(name))}">{_text(shown)}</a>'
