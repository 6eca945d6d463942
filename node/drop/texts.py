"""Texts that the drop folder writes for clerks, in Vietnamese, and the same for programs. Both repeat the node's words, one by one."""

from collections.abc import Sequence
from typing import Any

from node.errors import Fault, kind_of
from node.model.delivery import State
from node.model.finding import Finding, Severity
from node.model.office import DeliveryView, InboxEntry, SubmitResult, TrackView
from node.model.reason import Reason
from node.model.status import status_name
from node.office.packet_file import Extracted
from node.wording.plain import plain
from node.wording.vietnamese import PACKET_KINDS, cause, size, when

WHO_ACTS = {
    "Rejected": "người gửi phải sửa rồi bỏ lại vào thư mục gui",
    "Denied": "người quản trị hệ thống phải xử lý quyền, rồi bỏ lại vào thư mục gui",
}
FOLLOW_DAYS = 180
_DAY_MS = 86_400_000
_LAST_STATUSES = frozenset({"02", "06", "15"})


def receipt(name: str, result: SubmitResult) -> tuple[dict[str, Any], str]:
    """Return the receipt of a packet that the node has accepted, as document and text; what becomes of it is put in by `followed`."""
    document = {
        "name": name,
        "packet_id": result.packet_id.hex(),
        "submission_id": result.submission_id,
        "recipients_served": result.recipients_served,
        "refused": plain(list(result.refused)),
        "findings": plain(list(result.findings)),
    }
    return followed(document, None, 0)


def followed(document: dict[str, Any], view: TrackView | None, now_ms: int) -> tuple[dict[str, Any], str]:
    """Return a receipt with what has become of the packet since; `open` tells whether it is looked at again."""
    deliveries = [_delivery(one) for one in view.deliveries] if view else []
    is_open = view is None or not is_settled(view, now_ms)
    now_known = {**document, "open": is_open, "deliveries": deliveries}
    lines = [
        f"BIÊN NHẬN: {document['name']}",
        f"Nút đã nhận và lưu chắc. Mã gói: {document['packet_id']}",
        *([f"Văn bản: {view.document_code or view.document_id}  {view.subject}"] if view else []),
        *([f"Gửi lúc: {when(view.create_time_ms)}"] if view else []),
        "",
        *(_line(one) for one in (view.deliveries if view else ())),
        *(f"✗ {one['code']}: không gửi được, {cause(Reason[one['reason']])}" for one in document["refused"]),
        *(f"! {one['code']} {one['path']}: {one['sentence']}" for one in document["findings"]),
        *([] if is_open else ["", "Đã xong; biên nhận này không đổi nữa."]),
    ]
    return now_known, _text(lines)


def is_settled(view: TrackView, now_ms: int) -> bool:
    """Tell whether nothing more is expected: every recipient has finished or cannot be reached, or it is half a year ago."""
    done = (one.state is State.FAILED or one.status_code in _LAST_STATUSES for one in view.deliveries)
    return all(done) or now_ms - view.create_time_ms > FOLLOW_DAYS * _DAY_MS


def _delivery(one: DeliveryView) -> dict[str, Any]:
    said = plain(one)
    names = ("unit", "unit_name", "state", "reason", "end_time", "custody_node", "status_code", "statuses", "life")
    return {name: said[name] for name in names}


def _line(one: DeliveryView) -> str:
    """Return the line of one recipient, without what changes from moment to moment: a receipt is written anew only if it has news."""
    sign = {State.WAITING: "…", State.DELIVERED: "✓", State.FAILED: "✗"}[one.state]
    held = f" (nút {one.custody_node} đang giữ hộ)" if one.custody_node else ""
    why = f": {cause(one.reason)}" if one.reason else ""
    at = f" lúc {when(one.end_time_ms)}" if one.end_time_ms else ""
    history = [
        f"      {event.code} {status_name(event.code)}, {when(event.accept_time_ms)}  {event.description}".rstrip()
        for event in one.statuses
    ]
    who = f"{one.unit} {one.unit_name}".strip()
    return "\n".join([f"{sign} {who}: {one.state.label}{at}{held}{why}", *history])


def refusal(name: str, fault: Fault, findings: Sequence[Finding]) -> tuple[dict[str, Any], str]:
    """Return why a packet was not taken and what to do, as document and text."""
    kind = kind_of(fault.reason).__name__
    document = {
        "name": name,
        "reason": fault.reason.name,
        "advice": fault.advice,
        "detail": fault.detail,
        "findings": plain(list(findings)),
    }
    lines = [
        f"KHÔNG GỬI ĐƯỢC: {name}",
        f"Vì sao: {fault.advice}",
        f"Phải làm gì: {WHO_ACTS[kind]}.",
        f"Chi tiết: {fault.reason.name}" + (f": {fault.detail}" if fault.detail else ""),
        *([""] if findings else []),
        *(line for one in findings for line in _finding(one)),
    ]
    return document, _text(lines)


def _finding(one: Finding) -> list[str]:
    kind = "lỗi" if one.severity is Severity.ERROR else "cảnh báo"
    return [f"{one.code} ({kind}): {one.sentence}", f"    {one.path}; {one.source}"]


def summary(entry: InboxEntry, files: Sequence[Extracted], fault: str) -> str:
    """Return what came, for the clerk; `fault` says why the packet could not be opened ("": it could)."""
    what = PACKET_KINDS[entry.kind] + (
        f" {entry.status_code} {status_name(entry.status_code)}" if entry.status_code else ""
    )
    facts = (
        ("Loại", what),
        ("Nơi gửi", f"{entry.sender_unit} {entry.sender_name}".strip()),
        ("Nơi nhận", entry.unit),
        ("Số, ký hiệu", entry.document_code or entry.document_id),
        ("Trích yếu", entry.subject),
        ("Ngày ban hành", entry.promulgation_date),
        ("Mức khẩn", entry.lane.label),
        ("Hạn trả lời", entry.due_date),
        ("Đến lúc", when(entry.accept_time_ms)),
        ("Mã gói", entry.packet_id.hex()),
        ("Cỡ", size(entry.packet_bytes)),
    )
    lines = [f"{name}: {value}" for name, value in facts if value]
    attached = [f"  {one.path.name if one.path else one.name}{_left_in(one)}" for one in files]
    broken = [f"Không mở được gói tin để lấy tệp: {fault} Gói tin vẫn còn nguyên bên cạnh."] if fault else []
    return _text([*lines, *(["Tệp đính kèm:", *attached] if attached else []), *broken])


def _text(lines: Sequence[str]) -> str:
    """Return lines as one text for a clerk's editor; nothing from outside may move the cursor."""
    return "".join(f"{''.join(c if c.isprintable() or c == chr(10) else ' ' for c in line)}\n" for line in lines)


def _left_in(one: Extracted) -> str:
    return f": KHÔNG lấy ra được, {one.fault.advice}" if one.fault else ""
