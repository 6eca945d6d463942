"""truc conformance: what a vendor's software does right and wrong, point by point, in Vietnamese and English.

Exit codes: 0 all points passed; 65 at least one failed; 75 none failed, but something was not seen: run it longer, or send what it
asks for. Of a folder of packets only what is in it is judged: 0 or 65.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from node.cli.command import Json, now_ms, run_async
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, console, facts, line, mark, show, tell, text
from node.cli.sandbox_door import Endpoint, remote
from node.errors import EXIT_OK, Deferred, Rejected
from node.model.policy import MIB
from node.model.reason import Reason
from node.sandbox.remote import Remote

if TYPE_CHECKING:
    from node.conformance.checks import Check
    from node.conformance.run import Report, Target
    from node.conformance.verdict import Verdict

MARGIN = " " * 9
"""Lines that belong to a point stand under its title."""


def conformance(
    endpoint: Endpoint = "",
    unit: Annotated[
        str, typer.Option(help="Đơn vị mà phần mềm đang nói thay; mặc định đơn vị đầu của hộp cát.", metavar="CODE")
    ] = "",
    packets: Annotated[
        Path | None,
        typer.Option("--packets", help="Chỉ xét các gói tin trong thư mục này, không cần hộp cát.", metavar="DIR"),
    ] = None,
    limit: Annotated[str, typer.Option(help="Chờ phần mềm nhiều nhất bao lâu.", metavar="SPAN")] = "10m",
    settle: Annotated[
        str, typer.Option(help="Xem thêm bao lâu để thấy cái không được có (vào sổ hai lần).", metavar="SPAN")
    ] = "10s",
    largest_mb: Annotated[int, typer.Option(help="Cỡ của gói lớn nhất, MB.", min=1, max=500)] = 50,
    list_checks: Annotated[bool, typer.Option("--list", help="In danh sách các điểm kiểm rồi thoát.")] = False,
    as_json: Json = False,
) -> None:
    """Kiểm phần mềm QLVB đang nối vào hộp cát, hoặc các gói tin nó làm ra: đạt gì, sai gì, theo điều nào."""
    if list_checks:
        _tell_checks(as_json)
        return
    limit_s, settle_s = _seconds(limit, "--limit"), _seconds(settle, "--settle")
    if packets is not None:
        _tell_report(_judged(packets), as_json, is_whole=False)
    _tell_report(_run(remote(endpoint), unit, limit_s, settle_s, largest_mb, as_json), as_json, is_whole=True)


def _judged(folder: Path) -> "Report":
    from node.conformance.run import judge_folder

    try:
        report = judge_folder(folder, now_ms())
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{folder}: {error.strerror}") from error
    return report


def _run(door: Remote, unit: str, limit_s: float, settle_s: float, largest_mb: int, as_json: bool) -> "Report":
    import asyncio
    import signal

    from node.conformance.acts import Manner
    from node.conformance.run import run
    from node.conformance.scene import Limit

    target = target_of(door, unit)
    screen = None if as_json else console()
    if screen is not None:
        for part in _opening(target, limit_s):
            show(screen, part)

    def told(check: "Check", verdict: "Verdict") -> None:
        if screen is not None:
            show(screen, line(_sign(verdict), f" {check.code} ", text(check.title, STRONG)))

    async def watched() -> "Report":
        limit, loop = Limit(limit_s), asyncio.get_running_loop()

        def enough() -> None:
            # The run is judged by what it has seen so far; a second Ctrl-C means it.
            limit.end_in(0)
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, enough)
        return await run(target, limit, Manner(settle_s, largest_mb * MIB), told)

    return run_async(watched())


def target_of(door: Remote, unit: str) -> "Target":
    """Ask a sandbox for what a run needs. Raises Rejected(REQUEST_INVALID) for a unit that is none of its test units."""
    from node.access.credential import Credential
    from node.conformance.run import Target
    from node.model.code import parse_code
    from node.sandbox.cast import Member

    said = door.get("conformance")
    units = {one["code"]: Member(one["code"], one["name"]) for one in said["units"]}
    code = parse_code(unit).text if unit else next(iter(units))
    if code not in units:
        raise Rejected(Reason.REQUEST_INVALID, f"{unit} is none of the sandbox's test units ({', '.join(units)})")
    return Target(
        writer=Credential(**said["writer"]),
        watcher=Credential(**said["watcher"]),
        own=Member(said["unit"]["code"], said["unit"]["name"]),
        unit=units[code],
        now_ms=said["now_ms"],
        refused=lambda: list(door.get("refused")["refused"]),
    )


def _opening(target: "Target", limit_s: float) -> list[object]:
    own, unit = target.own.code, target.unit
    return [
        line(text("Kiểm tra tương thích / conformance: ", STRONG), f"{unit.name} [{unit.code}]"),
        text(f"Văn bản thử KT01…KT16 đang tới {unit.code}; trích yếu ghi phải làm gì.", QUIET),
        text(f"Test documents KT01…KT16 are on their way to {unit.code}; their subjects say what to do.", QUIET),
        text(f"Hãy gửi ít nhất một văn bản mới từ {unit.code} tới {own}.", WARNING),
        text(f"Send at least one new document from {unit.code} to {own}.", WARNING),
        text(
            f"Chờ nhiều nhất {limit_s:g} giây / waiting at most {limit_s:g} s. Ctrl-C: kết luận ngay / conclude now.",
            QUIET,
        ),
    ]


def _seconds(span: str, option: str) -> float:
    from node.sandbox.clock import span_ms

    try:
        return span_ms(span) / 1000
    except Rejected as fault:
        raise typer.BadParameter("ghi 90s, 15m, 3h", param_hint=f"'{option}'") from fault


def _sign(verdict: "Verdict") -> Any:
    return mark({"pass": True, "fail": False, "unseen": None}[verdict.outcome.value])


def _tell_checks(as_json: bool) -> None:
    from node.conformance.checks import CHECKS

    document = {"checks": [_named(check) for check in CHECKS]}
    tell(as_json, document, lambda: [_titled(check) for check in CHECKS])


def _named(check: "Check") -> dict[str, Any]:
    return {
        "number": check.number,
        "code": check.code,
        "title": check.title,
        "title_en": check.title_en,
        "source": check.source,
        "optional": check.optional,
        "by_packets": check.by_packets,
    }


def _titled(check: "Check") -> Any:
    more = text(f"{check.title_en} · {check.source}", QUIET)
    return line(f"{check.code}  ", text(check.title, STRONG), "\n", MARGIN, more)


def _tell_report(report: "Report", as_json: bool, *, is_whole: bool) -> NoReturn:
    """Tell what came of it; ends with the exit code."""
    from node.conformance.verdict import Outcome

    wrong = report.of(Outcome.FAIL)
    is_complete = report.is_complete or not is_whole
    counts = {outcome.value: len(report.of(outcome)) for outcome in Outcome}
    document = {"conforms": not wrong and is_complete, **counts, "checks": _said(report)}
    tell(as_json, document, lambda: _shown(report, counts, is_complete=is_complete))
    raise typer.Exit(Rejected.exit_code if wrong else EXIT_OK if is_complete else Deferred.exit_code)


def _said(report: "Report") -> list[dict[str, Any]]:
    from node.conformance.checks import CHECKS

    return [
        {**_named(check), "outcome": one.outcome.value, "evidence": one.evidence, "evidence_en": one.evidence_en}
        for check in CHECKS
        if (one := report.verdicts.get(check.number))
    ]


def _shown(report: "Report", counts: dict[str, int], *, is_complete: bool) -> list[object]:
    from node.conformance.checks import CHECKS
    from node.conformance.verdict import Outcome

    parts: list[object] = [text("")]
    for check in CHECKS:
        verdict = report.verdicts.get(check.number)
        if verdict is None:
            continue
        parts.append(line(_sign(verdict), " ", _titled(check)))
        if verdict.outcome is not Outcome.PASS:
            style = BAD if verdict.outcome is Outcome.FAIL else QUIET
            said = "\n".join(dict.fromkeys([verdict.evidence, verdict.evidence_en])).splitlines()
            parts += [text(f"{MARGIN}{one}", style) for one in said]
    told = (
        f"{counts['pass']} đạt / passed, {counts['fail']} không đạt / failed, {counts['unseen']} chưa thấy / not seen"
    )
    style = BAD if counts["fail"] else GOOD if is_complete else WARNING
    return [*parts, facts([("Kết quả / result", text(told, f"bold {style}"))])]
