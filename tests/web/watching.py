"""Common ground of the watch's tests: asking a node's watch port, and reading what it says."""

import http.client
import socket
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.real_mesh import RealNode, wait_for


def get(port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Ask; return status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8")
    finally:
        connection.close()


def wait_until_open(port: int) -> None:
    """Wait for the watch: it opens after the other doors, by which a node is taken to be ready."""
    wait_for(lambda: _is_open(port), 20, f"the watch on port {port}")


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Scrape:
    """The figures of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample of that name and (at least) these labels; None: there is none."""
        found = [
            one.value
            for one in self.samples
            if one.name == name and labels.items() <= dict[str, Any](one.labels).items()
        ]
        assert len(found) <= 1, (name, labels, found)
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name and these labels."""
        return sum(
            one.value
            for one in self.samples
            if one.name == name and labels.items() <= dict[str, Any](one.labels).items()
        )


def scrape(port: int) -> Scrape:
    status, text = get(port, "/metrics")
    assert status == 200, text
    return Scrape(text)


def watch_toml(port: int) -> str:
    return f'[watch]\nlisten = "127.0.0.1:{port}"\n'


def lose_witness(node: RealNode) -> None:
    """Take away the witness of a node that stands still: it will start fenced."""
    (node.home / "WITNESS").rename(node.home / "elsewhere")
