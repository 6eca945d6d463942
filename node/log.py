"""Log: what a node says to its operator, one event per line on stderr; JSON off a terminal, coloured on one.

An event is named noun.past_participle (`packet.accepted`, `peer.lost`) and carries only fields of `FIELDS`: ids, codes of
units, reasons, sizes and times. It never carries document content, subjects, names of people or keys: a log is copied to places
where such things must not go. So a field that is not in the list, and an event that is not so named, never reach the output: in
tests they raise, in production they are dropped, counted, and only the field's name is told. An exception is logged as its
type and the places it came through, without its message, which may quote what it failed on.
"""

import logging
import os
import re
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_FIELD_GROUPS = {
    "every line": "event level time",
    "who, as the directory names them": "node peer system unit origin_node target_node",
    "which": "packet_id submission_id lane kind role method reference",
    "what became of it": "state reason status result error places attempt fenced",
    "how many": "count items units deliveries packets receipts signatures",
    "how large": "size_bytes body_bytes packet_bytes offset_bytes durable_bytes free_bytes",
    "how long": "duration_ms retry_after_ms due_in_ms age_ms skew_ms lag_ms",
    "this installation": "version directory_version protocol software home path mesh office web watch address port pid exit_code signal",
    "about a fault, or a library's own words": "detail library",
    "what was left out": "dropped",
}
FIELDS = frozenset(field for group in _FIELD_GROUPS.values() for field in group.split())
"""All fields there are. `detail` is a Fault's detail: English, about the fault and not about the document."""

_EVENT = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
_ROOT = str(Path(__file__).parents[1])

dropped: Counter[str] = Counter()
"""Fields and events that were left out of the log in this process, by name."""


class FieldError(AssertionError):
    """Our own mistake: a log call with a field or an event that the log does not carry."""


def get_logger() -> FilteringBoundLogger:
    """Return the logger; make one per module and call it with `event` and fields: log.info("peer.lost", peer=node_id)."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def is_event(text: str) -> bool:
    """Tell whether a text is an event's name: words joined by full stops."""
    return _EVENT.fullmatch(text) is not None


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "json", "console"] = "auto",
    *,
    strict: bool | None = None,
) -> None:
    """Set up logging for this process; may be called again. `strict` raises FieldError: by default in tests and their children."""
    strict = _in_a_test() if strict is None else strict
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _exception_as_places,
            _only_fields_strictly if strict else _only_fields,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _renderer(console),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=not strict,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_FromLibraries()], force=True)


def _in_a_test() -> bool:
    return "pytest" in sys.modules or "PYTEST_CURRENT_TEST" in os.environ


def _renderer(console: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")
    return structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)


def _exception_as_places(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's type and our own lines it came through, innermost last."""
    given: Any = fields.pop("exc_info", None)
    found = given if isinstance(given, BaseException) else sys.exception() if given else None
    if found is not None:
        frames = traceback.extract_tb(found.__traceback__)
        fields["error"] = type(found).__qualname__
        fields["places"] = [f"{frame.filename.removeprefix(_ROOT)}:{frame.lineno} {frame.name}" for frame in frames][
            -12:
        ]
    return fields


def _only_fields_strictly(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    wrong = sorted(fields.keys() - FIELDS)
    if wrong or not is_event(fields["event"]):
        raise FieldError(f"{fields['event']!r} with fields not in node.log.FIELDS: {wrong}")
    return fields


def _only_fields(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    wrong = sorted(fields.keys() - FIELDS)
    for name in wrong:
        del fields[name]
    if not is_event(fields["event"]):
        fields["event"] = "event.misnamed"
        wrong.append("event")
    if wrong:
        dropped.update(wrong)
        fields["dropped"] = wrong
    return fields


class _FromLibraries(logging.Handler):
    """Brings what grpc, asyncio and other libraries log by the standard way into ours.

    Their text is for developers and may quote anything, so only the first line of its template is told, without values.
    """

    def emit(self, record: logging.LogRecord) -> None:
        failed = record.exc_info[1] if record.exc_info else None
        fields: dict[str, Any] = {"exc_info": failed} if failed else {}
        first_line = str(record.msg).partition("\n")[0][:200]
        get_logger().log(record.levelno, "library.reported", library=record.name, detail=first_line, **fields)


configure()
