"""Logs never carry what must not leave the node: only events and fields that the list names reach the output."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import log


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    yield
    log.dropped.clear()
    log.configure()


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The one line that was logged."""
    (text,) = capsys.readouterr().err.splitlines()
    parsed: dict[str, object] = json.loads(text)
    return parsed


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def misnamed(source: str) -> list[str]:
    """Calls of a module's `log` whose event is not a fixed name or whose fields are not in the list."""
    found = []
    for call in ast.walk(ast.parse(source)):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "_log"), attr=level)) if level in LEVELS:
                event = call.args[0] if call.args else None
                fixed = isinstance(event, ast.Constant) and log.is_event(str(event.value))
                fields = {keyword.arg or "**" for keyword in call.keywords} - log.FIELDS - {"exc_info", "**"}
                if not fixed or fields:
                    found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


def test_every_log_call_of_the_house_has_a_fixed_event_and_listed_fields() -> None:
    sources = {path: path.read_text("utf-8") for path in (Path(log.__file__).parent).rglob("*.py")}

    assert {path.name: misnamed(source) for path, source in sources.items() if misnamed(source)} == {}


def test_a_log_call_with_a_sentence_or_an_unlisted_field_is_noticed() -> None:
    assert misnamed('log.info(f"packet {x} accepted")') != []
    assert misnamed('log.info("packet.accepted", subject=x)') != []
    assert misnamed('log.info("packet.accepted", unit=x, exc_info=error)') == []


def test_an_event_is_one_line_of_json_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(strict=False)
    log.get_logger().info("packet.accepted", packet_id="00ff", unit="H49.22", size_bytes=7)

    logged = line(capsys)
    assert str(logged.pop("time")).endswith("Z")
    assert logged == {
        "event": "packet.accepted",
        "level": "info",
        "packet_id": "00ff",
        "unit": "H49.22",
        "size_bytes": 7,
    }


def test_in_tests_a_field_outside_the_list_raises() -> None:
    with pytest.raises(log.FieldError, match="subject"):
        log.get_logger().info("packet.accepted", subject="Mật")


def test_in_tests_an_event_that_is_a_sentence_raises() -> None:
    with pytest.raises(log.FieldError):
        log.get_logger().info("packet 00ff was accepted")


def test_in_production_a_field_outside_the_list_is_dropped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(strict=False)
    log.get_logger().info("packet.accepted", unit="H49", subject="Mật")
    logged = line(capsys)

    assert logged["dropped"] == ["subject"]
    assert logged["unit"] == "H49"
    assert "Mật" not in str(logged)
    assert log.dropped == {"subject": 1}


def test_in_production_an_event_that_is_a_sentence_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(strict=False)
    log.get_logger().warning("could not read Quyết định số 1/QĐ", unit="H49")
    logged = line(capsys)

    assert (logged["event"], logged["dropped"], logged["unit"]) == ("event.misnamed", ["event"], "H49")
    assert log.dropped == {"event": 1}


def test_an_exception_is_told_by_type_and_place_but_not_by_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(strict=False)
    try:
        raise ValueError("nội dung văn bản")
    except ValueError:
        log.get_logger().exception("sweep.failed")
    logged = line(capsys)

    assert (logged["error"], logged["level"]) == ("ValueError", "error")
    assert "test_log.py" in str(logged["places"])
    assert "nội dung" not in str(logged)


def test_what_libraries_log_comes_in_our_form_without_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(strict=False)
    logging.getLogger("grpc").warning("cannot read %s\nmore", "nội dung")
    logged = line(capsys)

    assert (logged["event"], logged["library"], logged["detail"]) == ("library.reported", "grpc", "cannot read %s")


def test_less_than_the_level_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", strict=False)
    log.get_logger().info("packet.accepted")

    assert capsys.readouterr().err == ""


def test_on_a_terminal_events_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(form="console", strict=False)
    log.get_logger().info("peer.lost", peer="tinh-a")
    text = capsys.readouterr().err

    assert "peer.lost" in text
    assert "peer=tinh-a" in text
    assert not text.startswith("{")
