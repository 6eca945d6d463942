"""Acts: how each point about what the software receives is found out. Each sends a document of its own and waits for what should follow."""

import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from node.conformance import checks
from node.conformance.scene import Posted, Scene
from node.conformance.verdict import Verdict, failed, passed, unseen
from node.sandbox.papers import Style, replacement, update, withdrawal

Verdicts = dict[int, Verdict]
Act = Callable[[Scene, "Manner"], Awaitable[Verdicts]]

_NOT_FETCHED = ("phần mềm chưa lấy văn bản thử về", "the software has not fetched the test document")
_NOT_IN_TIME = ("hết giờ mà chưa thấy", "not seen in time")


@dataclass(frozen=True, slots=True)
class Manner:
    """The manner of a run. `settle_s`: how long to look on for what should not come; `largest_bytes`: 0 for the usual size."""

    settle_s: float = 10.0
    largest_bytes: int = 0


async def handles_a_document(scene: Scene, manner: Manner) -> Verdicts:
    """Send one document and follow it from its arrival to its end."""
    posted = await scene.send(scene.paper(1, "Hãy tiếp nhận, phân công, xử lý và hoàn thành (03, 04, 05, 06)"), "01")
    is_taken = await scene.until(lambda: posted.is_acknowledged)
    verdicts = {checks.FETCHES: _taken(posted, is_taken)}
    for point, codes in (
        (checks.ARRIVED, ("01",)),
        (checks.ACCEPTED, ("03",)),
        (checks.IN_HAND, ("04", "05")),
        (checks.DONE, ("06",)),
    ):
        verdicts[point] = await _reports(scene, posted, codes)
    return verdicts


async def _reports(scene: Scene, posted: Posted, codes: tuple[str, ...]) -> Verdict:
    if not await scene.until(lambda: posted.is_fetched):
        return unseen(*_NOT_FETCHED)
    await scene.until(lambda: all(scene.about(posted, code) for code in codes))
    missing = [code for code in codes if not scene.about(posted, code)]
    if missing:
        said = ", ".join(missing)
        return failed(f"{_NOT_IN_TIME[0]} {said}", f"{said} {_NOT_IN_TIME[1]}")
    if any(one.is_by_node for one in scene.about(posted, *codes)):
        return passed("nút báo thay cho phần mềm", "the node reports it for the software")
    return passed(f"đã thấy {', '.join(codes)}", f"{', '.join(codes)} seen")


async def refuses(scene: Scene, manner: Manner) -> Verdicts:
    """Send a document that is to be refused."""
    posted = await scene.send(scene.paper(6, "Hãy TỪ CHỐI văn bản này (02) và nêu lý do"), "06")
    if not await scene.until(lambda: posted.is_fetched):
        return {checks.REFUSES: unseen(*_NOT_FETCHED)}
    await scene.until(lambda: scene.about(posted, "02") or _refused_without_reason(scene))
    found = scene.about(posted, "02")
    if _refused_without_reason(scene):
        told = "trạng thái 02 không có lý do nên nút không nhận (EDXML-122)"
        return {checks.REFUSES: failed(told, "a status 02 without a reason was refused by the node (EDXML-122)")}
    if not found:
        return {checks.REFUSES: failed(f"{_NOT_IN_TIME[0]} 02", f"02 {_NOT_IN_TIME[1]}")}
    return {checks.REFUSES: passed("02 có lý do", "02 with a reason")}


def _refused_without_reason(scene: Scene) -> bool:
    return any(finding.code == "EDXML-122" for one in scene.turned_away for finding in one.findings)


async def gives_back(scene: Scene, manner: Manner) -> Verdicts:
    """Withdraw a document by a packet after it was fetched."""
    posted = await scene.send(scene.paper(7, "Văn bản này sẽ bị thu hồi"), "07")
    if not await scene.until(lambda: posted.is_fetched):
        return {checks.TAKEN_BACK: unseen(*_NOT_FETCHED)}
    back = posted.paper.about(
        withdrawal("Thử thu hồi"), "KT07 – Thu hồi: hãy đồng ý (15) hoặc từ chối (16)", scene.now_ms()
    )
    request = await scene.send(back, "07-thu-hoi")
    return {checks.TAKEN_BACK: await _answered(scene, posted, request)}


async def gives_back_when_asked(scene: Scene, manner: Manner) -> Verdicts:
    """Ask a document back by status 13 after it was fetched."""
    posted = await scene.send(scene.paper(8, "Văn bản này sẽ bị lấy lại bằng trạng thái 13"), "08")
    if not await scene.until(lambda: posted.is_fetched):
        return {checks.ASKED_BACK: unseen(*_NOT_FETCHED)}
    request = await scene.ask_back(posted, "Thử lấy lại: hãy đồng ý (15) hoặc từ chối (16)")
    return {checks.ASKED_BACK: await _answered(scene, posted, request)}


async def _answered(scene: Scene, posted: Posted, request: Posted) -> Verdict:
    is_answered = await scene.until(lambda: scene.about(posted, "15", "16"))
    is_taken = await scene.until(lambda: request.is_acknowledged)
    if not is_answered:
        return failed(f"{_NOT_IN_TIME[0]} 15 hay 16", f"15 or 16 {_NOT_IN_TIME[1]}")
    code = scene.about(posted, "15", "16")[0].code
    if not is_taken:
        return failed(
            f"trả lời {code} nhưng gói yêu cầu vẫn nằm trong danh sách chờ",
            f"answered {code}, but the request itself is still on the list of what waits",
        )
    return passed(f"trả lời {code}", f"answered {code}")


async def takes_an_update(scene: Scene, manner: Manner) -> Verdicts:
    """Change the words of a document after it was fetched."""
    posted = await scene.send(scene.paper(9, "Văn bản này sẽ được cập nhật"), "09")
    if not await scene.until(lambda: posted.is_fetched):
        return {checks.UPDATED: unseen(*_NOT_FETCHED)}
    changed = posted.paper.about(update("Thử cập nhật"), "KT09 – Trích yếu đã cập nhật", scene.now_ms())
    follower = await scene.send(changed, "09-cap-nhat")
    return {checks.UPDATED: _taken(follower, await scene.until(lambda: follower.is_acknowledged))}


async def takes_a_replacement(scene: Scene, manner: Manner) -> Verdicts:
    """Replace a document by another after it was fetched."""
    posted = await scene.send(scene.paper(10, "Văn bản này sẽ bị thay thế"), "10")
    if not await scene.until(lambda: posted.is_fetched):
        return {checks.REPLACED: unseen(*_NOT_FETCHED)}
    newer = scene.paper(30, "Văn bản thay thế văn bản số 10", business=replacement(posted.paper, "Thử thay thế"))
    follower = await scene.send(newer, "10-thay-the")
    return {checks.REPLACED: _taken(follower, await scene.until(lambda: follower.is_acknowledged))}


async def registers_once(scene: Scene, manner: Manner) -> Verdicts:
    """Send the same packet, octet for octet, twice."""
    paper = scene.paper(11, "Văn bản này đến hai lần, chỉ vào sổ một lần")
    first = await scene.send(paper, "11")
    if not await scene.until(lambda: first.is_fetched):
        return {checks.TWICE: unseen(*_NOT_FETCHED)}
    second = await scene.send(paper, "11-lan-hai")
    is_taken = await scene.until(lambda: first.is_acknowledged and second.is_acknowledged)
    if not is_taken:
        return {checks.TWICE: _taken(first if not first.is_acknowledged else second, is_taken=False)}
    await scene.until(lambda: len(scene.about(first, "03")) > 1, manner.settle_s)
    count = len(scene.about(first, "03"))
    if count > 1:
        told = failed(f"báo 03 {count} lần cho cùng một văn bản", f"reported 03 {count} times for one document")
        return {checks.TWICE: told}
    return {checks.TWICE: passed("lấy cả hai, vào sổ một lần", "both taken, registered once")}


def takes(point: int, subject: str, style: Style, *, by_old_code: bool = False) -> Act:
    """Return an act that sends one kind of packet, which must be taken and accepted."""

    async def act(scene: Scene, manner: Manner) -> Verdicts:
        paper = scene.paper(point, subject, style, by_old_code=by_old_code)
        if style is Style.LARGEST:
            paper = replace(paper, size_bytes=manner.largest_bytes or paper.size_bytes)
        if style is Style.CHARACTERS:
            paper = replace(paper, document_id=f"{paper.own_id}/{_DECOMPOSED_ID}")
        posted = await scene.send(paper, f"{point:02}")
        return {point: await _accepted(scene, posted)}

    return act


_DECOMPOSED_ID = unicodedata.normalize("NFD", "Sở Nội vụ & «Đường»")
"""DocumentIds are compared letter by letter (domain.md 3.7); software that writes this one in another form answers for no document."""


async def _accepted(scene: Scene, posted: Posted) -> Verdict:
    is_taken = await scene.until(lambda: posted.is_acknowledged)
    if not is_taken:
        return _taken(posted, is_taken=False)
    await scene.until(lambda: scene.about(posted, "02", "03") or scene.nearly_about(posted))
    if scene.about(posted, "02"):
        return failed("từ chối một gói hợp lệ (02)", "refused a valid packet (02)")
    if scene.nearly_about(posted):
        told = "trạng thái ghi DocumentId ở dạng Unicode khác nên không về được văn bản"
        return failed(told, "the status writes the DocumentId in another form of Unicode, so it finds no document")
    if not scene.about(posted, "03"):
        return failed(f"đã lấy, nhưng {_NOT_IN_TIME[0]} 03", f"taken, but 03 {_NOT_IN_TIME[1]}")
    return passed("đã lấy và tiếp nhận (03)", "taken and accepted (03)")


def _taken(posted: Posted, is_taken: bool) -> Verdict:
    if is_taken:
        return passed("đã lấy và xác nhận", "fetched and acknowledged")
    if posted.is_fetched:
        return failed(
            "đã lấy nhưng không xác nhận (updateStatus done, Acknowledge): gói vẫn nằm trong danh sách chờ",
            "fetched, but not acknowledged (updateStatus done, Acknowledge): it is still on the list of what waits",
        )
    if posted.is_there:
        return failed("nằm trong hộp đến mà không được lấy", "lies in the inbox and is not fetched")
    return unseen("gói thử chưa tới hộp đến", "the test packet has not reached the inbox")


ACTS: tuple[Act, ...] = (
    handles_a_document,
    refuses,
    gives_back,
    gives_back_when_asked,
    takes_an_update,
    takes_a_replacement,
    registers_once,
    takes(checks.MINIMAL, "Gói tối thiểu: hãy tiếp nhận (03)", Style.MINIMAL),
    takes(checks.FULL, "Gói đủ mọi trường: hãy tiếp nhận (03)", Style.FULL),
    takes(checks.CHARACTERS, "Gói ký tự đặc biệt: hãy tiếp nhận (03)", Style.CHARACTERS),
    takes(checks.LARGEST, "Gói cỡ lớn nhất: hãy tiếp nhận (03)", Style.LARGEST),
    takes(checks.OLD_CODES, "Gói ghi mã định danh cũ: hãy tiếp nhận (03)", Style.PLAIN, by_old_code=True),
)
