"""The parts of a bundle, in the order in which one reads them.

Each part is made by itself. A node that is down, a folder that cannot be read or settings that are wrong are what a bundle is made for:
what fails is noted, and the rest goes in.
"""

import asyncio
import hashlib
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node import __version__
from node.archive.sink import Sink
from node.errors import Deferred, Fault
from node.ops.doctor.examine import examine, told
from node.ops.home import Home
from node.ops.support import machine
from node.ops.support.logs import read_log
from node.ops.support.redact import Redactor, redactor_of
from node.wording.plain import iso_time, plain

if TYPE_CHECKING:
    from node.config.settings import Settings
    from node.model.directory import Directory

ASK_S = 10.0
OUTBOX_MAX = 1_000
NODES_MAX = 5_000
METRICS_BYTES_MAX = 16 * 1024 * 1024
NOTE = """\
Gói hỗ trợ của nút truc {node_id}, làm lúc {time} bằng truc {version}.

Có: cấu hình đang dùng (đường dẫn tới tệp khóa, không có khóa), kết quả 'truc doctor', phiên bản, hàng chờ và nút bạn (mã, lý do),
tóm tắt danh bạ, dung lượng kho, thông tin máy, số liệu Prometheus nếu bật, và nhật ký nếu có --log (chỉ các trường đã biết).
Không có: khóa, mật khẩu, nội dung, trích yếu, tên người, mã gửi (chỉ còn mã băm). Mọi tệp là văn bản UTF-8; hãy đọc trước khi gửi.

manifest.json kê các tệp và những phần không lấy được.
"""


@dataclass(slots=True)
class Bundle:
    """A bundle that is being gathered. `problems` says what could not be, by part."""

    place: Home
    now_ms: int
    redactor: Redactor
    settings: "Settings | None" = None
    problems: dict[str, str] = field(default_factory=dict)

    def part(self, sink: Sink, name: str, make: Callable[[], Any]) -> None:
        """Make one part and put it in; a text as it is, anything else as JSON."""
        try:
            made = make()
        except Fault as fault:
            self.problems[name] = f"{fault.reason.name}: {self.redactor.text(fault.advice)}"
            return
        except Exception as error:  # whatever ails one part must not cost the others
            self.problems[name] = f"{type(error).__name__}: {self.redactor.text(str(error))[:200]}"
            return
        text = made if isinstance(made, str) else json.dumps(made, ensure_ascii=False, indent=1) + "\n"
        sink.add_text(name, self.redactor.text(text))


def gather(sink: Sink, place: Home, logs: list[Path], now_ms: int) -> Bundle:
    """Fill a sink; return what was gathered and what could not be."""
    settings = _settings(place)
    bundle = Bundle(place, now_ms, redactor_of(place, settings), settings)
    node_id = settings.node_id if settings else "?"
    sink.add_text("README.txt", NOTE.format(node_id=node_id, time=iso_time(now_ms), version=__version__))
    bundle.part(sink, "doctor.json", lambda: _doctor(place, now_ms))
    bundle.part(sink, "settings.json", lambda: _dumped(place))
    bundle.part(sink, "versions.json", machine.versions)
    bundle.part(sink, "system.json", lambda: machine.system(place))
    bundle.part(sink, "store.json", lambda: machine.store(place))
    bundle.part(sink, "directory.json", lambda: _directory(place))
    bundle.part(sink, "node.json", lambda: asyncio.run(_asked(place)))
    if settings is not None and settings.watch.listen:
        bundle.part(sink, "metrics.txt", lambda: _metrics(settings.watch.listen))
    for number, path in enumerate(logs, 1):
        bundle.part(sink, f"log-{number}.jsonl", lambda path=path, number=number: _log(bundle, path, number))  # type: ignore[misc]
    _put_manifest(sink, bundle, node_id)
    return bundle


def _put_manifest(sink: Sink, bundle: Bundle, node_id: str) -> None:
    manifest = {
        "made": iso_time(bundle.now_ms),
        "made_ms": bundle.now_ms,
        "truc": __version__,
        "node_id": node_id,
        "files": [{"name": one.name, "size_bytes": one.size_bytes, "sha256": one.sha256} for one in sink.added],
        "problems": bundle.problems,
    }
    sink.add_text("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def _settings(place: Home) -> "Settings | None":
    try:
        return place.settings()
    except (Fault, OSError):
        return None  # the doctor says why


def _doctor(place: Home, now_ms: int) -> dict[str, Any]:
    return told(place.path, examine(place, now_ms))


def _dumped(place: Home) -> dict[str, Any]:
    """All settings as they hold, defaults and environment included: nothing in them is a secret, secrets are paths."""
    dumped: dict[str, Any] = place.settings().model_dump(mode="json")
    return dumped


def _directory(place: Home) -> dict[str, Any]:
    """Which nodes there are and how many units each serves: no names of units."""
    from node.directory.trust.trust import TrustedFolder

    directory: Directory = TrustedFolder(place.directory).load()
    units = {zone.node_id: len(zone.units) for zone in directory.zones.values()}
    return {
        "version": directory.version,
        "signed": iso_time(directory.signed_time_ms),
        "nodes": [
            {
                "node_id": node.node_id,
                "mesh_address": node.mesh_address,
                "via_relays": list(node.via_relays),
                "roles": sorted(role.name for role in node.roles),
                "prefixes": [prefix.text for prefix in directory.prefixes_of(node.node_id)],
                "units": units.get(node.node_id, 0),
                "certificates_sha256": [hashlib.sha256(der).hexdigest() for der in node.tls_certificates],
            }
            for node in sorted(directory.nodes.values(), key=lambda one: one.node_id)[:NODES_MAX]
        ],
    }


async def _asked(place: Home) -> dict[str, Any]:
    """Ask the running node: how it is, its peers, what waits. Raises ConnectionError if it does not answer, Fault if it refuses."""
    try:
        async with asyncio.timeout(ASK_S), place.admin() as admin:
            health, peers = await admin.health(), await admin.list_peers()
            waiting, more = await admin.list_outbox("", OUTBOX_MAX)
    except (Deferred, TimeoutError) as error:
        raise ConnectionError("nút không chạy, hoặc không trả lời") from error
    return {"health": plain(health), "peers": plain(peers), "outbox": plain(waiting), "outbox_has_more": more}


def _metrics(address: str) -> str:
    host, _, port = address.rpartition(":")
    local = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104  a name for it
    connection = http.client.HTTPConnection(local, int(port), timeout=ASK_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read(METRICS_BYTES_MAX).decode("utf-8", "replace")
    finally:
        connection.close()


def _log(bundle: Bundle, path: Path, number: int) -> str:
    lines, left_out = read_log(path)
    if left_out:
        bundle.problems[f"log-{number}.jsonl: left out"] = ", ".join(
            f"{count} {why}" for why, count in left_out.items()
        )
    return "".join(f"{line}\n" for line in lines)
