"""The files of deploy/watch: they name only figures that nodes show, and Prometheus' own tool accepts the rules."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.model.thresholds import CERTIFICATE_WARNING_MS, DISK_FREE_BYTES_MIN
from node.web.watch.figures import FIGURES, Kind

FOLDER = Path(__file__).parents[2] / "deploy" / "watch"
RULES, DASHBOARD = FOLDER / "truc.rules.yml", FOLDER / "truc-dashboard.json"
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
_NAME = re.compile(r"(?<![\w:])truc_[a-z0-9_]+(?![\w:])")
_RECORDED = re.compile(r"\b[a-z_]+:truc_[a-z0-9_]+:[a-z0-9_]+")
_SELECTOR = re.compile(r"\b(truc_[a-z0-9_]+)\{([^}]*)\}")
_OTHERS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}


def shown_names() -> dict[str, frozenset[str]]:
    """Names of series as a scrape shows them, with their labels; a running node is held to the same table in test_watch.py."""
    names: dict[str, frozenset[str]] = {}
    for name, figure in FIGURES.items():
        labels = frozenset(figure.labels)
        if figure.kind is Kind.COUNTER:
            names[f"{name}_total"] = labels
        elif figure.kind is Kind.HISTOGRAM:
            names |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            names[name] = labels
    return names


def expressions() -> Iterator[tuple[str, str]]:
    """Everything that is asked of Prometheus, and where."""
    text = re.sub(r"#.*", "", RULES.read_text("utf-8"))
    for found in re.finditer(
        r"(?:alert|record): (\S+)\n\s+expr: (?:>-\n)?((?:.|\n)*?)(?=\n\s+(?:for|labels|- record|- alert):|\n\n|\Z)",
        text,
    ):
        yield found[1], re.split(r"\n\s+- ", found[2])[0]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


EXPRESSIONS = list(expressions())


def test_there_is_something_to_hold_against_the_figures() -> None:
    rules = RULES.read_text("utf-8")
    assert len(EXPRESSIONS) > 60
    assert sum(rules.count(word) for word in ("- alert:", "- record:")) == len(
        [name for name, _ in EXPRESSIONS if name.startswith(("Truc", "instance"))]
    )


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_only_figures_that_a_node_shows_are_asked_for(where: str, expression: str) -> None:
    known = shown_names()
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text("utf-8")))
    asked = set(_NAME.findall(expression))
    assert asked <= known.keys(), f"{where}: {asked - known.keys()}"
    assert set(_RECORDED.findall(expression)) <= recorded
    for name, inner in _SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inner)) - {"instance", "job"}
        assert labels <= known[name], f"{where}: {name} has no {labels - known[name]}"
    assert asked or _RECORDED.search(expression) or any(name in expression for name in _OTHERS)


def test_every_alert_says_in_vietnamese_what_it_is_and_what_to_do() -> None:
    text = RULES.read_text("utf-8")
    alerts = text.split("- alert: ")[1:]
    for alert in alerts:
        name = alert.split("\n", 1)[0]
        assert re.search(r"labels: \{muc: (gap|som)\}", alert), name
        for part in ("summary", "description"):
            said = re.search(rf'{part}: "(.+)"', alert)
            assert said, f"{name} has no {part}"
            assert re.search(r"[ăâđêôơưạảấầẩậắằặẹẻềếểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹáàéèíìóòúùý]", said[1]), name


def test_every_alert_is_described_on_the_page_and_every_figure_is_listed() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    for name in re.findall(r"- alert: (\S+)", RULES.read_text("utf-8")):
        assert f"`{name}`" in page
    for name in FIGURES:
        assert f"`{name}" in page, f"{name} is not on deploy/watch/README.md"


def test_the_dashboard_is_one_that_grafana_can_read() -> None:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    assert {one["name"] for one in document["templating"]["list"]} == {"nguon", "nut"}
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]


def promtool(*words: str) -> "subprocess.CompletedProcess[str]":
    if PROMTOOL is None:
        pytest.skip("promtool is not here; install it with: apt-get install prometheus, or name it in PROMTOOL")
    return subprocess.run([PROMTOOL, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "truc.rules.yml"),
        ("test", "rules", "truc.rules.test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
)
def test_promtool_accepts_them(words: tuple[str, ...]) -> None:
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_and_doctor_mean_the_same_disk_and_certificate() -> None:
    rules = (FOLDER / "truc.rules.yml").read_text("utf-8")

    assert f"truc_disk_free_bytes < {DISK_FREE_BYTES_MIN}\n" in rules
    assert f"truc_certificate_expiry_timestamp_seconds - time() < {CERTIFICATE_WARNING_MS // 1000}\n" in rules
