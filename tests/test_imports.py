"""Imports run one way, third-party libraries stay in their rooms, and the outside comes in through ports only.

The table below is architecture.md section 4, refined by node/decisions/0001. Whoever adds a room or wants another arrow
changes the table and writes down why.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOM_OF = {
    "node": "package",
    "node.errors": "errors",
    "node.log": "log",
    "node.ports": "ports",
    "node.node": "house",
    "node.model": "model",
    "node.model.reason": "reason",
    "node.wire": "wire",
    "node.wire.truc": "generated",
    "node.edxml": "edxml",
    "node.seal": "seal",
    "node.rows": "rows",
    "node.config": "config",
    "node.access": "access",
    "node.directory": "directory",
    "node.store": "store",
    "node.flow": "flow",
    "node.net": "net",
    "node.web": "web",
    "node.client": "client",
    "node.wording": "wording",
    "node.office": "office",
    "node.drop": "drop",
    "node.archive": "archive",
    "node.ops": "ops",
    "node.process": "process",
    "node.sandbox": "sandbox",
    "node.conformance": "conformance",
    "node.demo": "demo",
    "node.cli": "cli",
}
"""Module or folder -> room; the longest name that fits decides. One row a folder, and one for each of the four loose files; the
reasons stand apart from the other words because errors.py needs them, generated code because nobody wrote it."""

WORDS = {"package", "reason", "errors", "model"}
CODECS = WORDS | {"generated", "wire"}
BELOW_FLOW = CODECS | {"ports", "edxml", "seal", "rows"}
DOORS = BELOW_FLOW | {"log", "config", "access", "house", "flow", "directory", "store", "net"}
OFFICES = CODECS | {"edxml", "seal", "access", "net", "wording"}

SEES = {
    "package": set(),
    "reason": set(),
    "errors": {"reason"},
    "model": {"reason", "errors"},
    "ports": WORDS,
    "log": set(),
    "config": WORDS,
    "generated": set(),
    "wire": WORDS | {"generated"},
    "edxml": WORDS,
    "seal": CODECS | {"ports", "log"},
    "rows": WORDS | {"generated", "ports"},
    "access": CODECS | {"ports", "log", "seal", "config"},
    "store": CODECS | {"ports", "log", "rows"},
    "directory": CODECS | {"ports", "log"},
    "flow": BELOW_FLOW | {"log"},
    "house": BELOW_FLOW | {"flow", "log"},
    "net": CODECS | {"ports", "log", "seal", "access", "house"},
    "web": DOORS | {"wording"},
    "wording": CODECS,
    "office": OFFICES,
    "client": WORDS | {"edxml", "access", "net", "office"},
    "drop": WORDS | {"edxml", "directory", "client", "wording", "office"},
    "archive": OFFICES | {"directory", "office"},
    "ops": CODECS
    | {"ports", "log", "seal", "rows", "config", "access", "directory", "store", "net", "wording", "archive"},
    "process": DOORS | {"web"},
    "sandbox": DOORS | {"client", "web", "ops", "process", "wording"},
    "conformance": WORDS | {"edxml", "client", "net", "sandbox"},
    "demo": DOORS | {"client", "wording", "office", "ops", "process", "sandbox", "cli"},
    "cli": DOORS | {"client", "wording", "office", "drop", "archive", "ops", "process", "sandbox", "conformance"},
}
"""Room -> rooms it may import from, besides itself. Only cli, sandbox and demo start the house, so only they see process. What is for
offices (office, the client made of it, drop, archive) is seen by no room of the house. A bundle of ops/support is written as an archive
is, whole or not at all. Which host is this machine itself is asked by settings and by the addresses of webhooks (access) alike. The demo
is a command of its own (`./dev demo`) that speaks with the command line's words."""

FLOORS = (
    {"admission", "agreed_time", "backoff", "counters", "loop", "quarantine", "risk", "signals"},
    {"bodies"},
    {"duties", "webhooks"},
    {"document", "inbox"},
    {"send"},
    {"receive", "views"},
    {"submit", "expiry"},
)
"""The order inside flow, from the ground up: a folder sees itself and the floors below its own, and no neighbour."""

HOME_OF = {
    "lxml": {"node.edxml"},
    "cryptography": {"node.seal", "node.net.tls"},
    "rocksdict": {"node.store.rocks"},
    "grpc": {"node.net"},
    "grpc_health": {"node.net"},
    "grpc_reflection": {"node.net"},
    "grpc_status": {"node.net"},
    "google.rpc": {"node.net"},
    "google.protobuf": {"node.wire", "node.rows", "node.directory", "node.net"},
    "grpc_tools": {"node.wire.generate"},
    "tuf": {"node.directory"},
    "securesystemslib": {"node.directory"},
    "pydantic": {"node.config"},
    "pydantic_core": {"node.config"},
    "pydantic_settings": {"node.config"},
    "structlog": {"node.log"},
    "uvloop": {"node.process.assembly"},
    "starlette": {"node.web", "node.sandbox.door"},
    "uvicorn": {"node.web"},
    "httpcore": {"node.net.webhook_client"},
    "watchfiles": {"node.drop"},
    "prometheus_client": {"node.web.watch.metrics"},
    "typer": {"node.cli", "node.demo.__main__"},
    "click": {"node.cli"},
    "rich": {"node.cli", "node.demo"},
}
"""Library -> where it lives. Generated code imports what it must."""

VERBS = ("typer", "rich", "node.cli.command", "node.cli.output")
"""What a file of the command line touches: else it is no verb, and its work is wanted without a command line, too."""

PURE = {"reason", "errors", "model", "ports", "wire", "rows", "flow", "house"}
CLOCKS_AND_CHANCE = {"time", "random", "secrets", "uuid"}
MACHINE = {"os", "pathlib", "shutil", "tempfile", "socket", "select", "selectors", "ssl", "signal", "subprocess"}
THREADS = {"threading", "concurrent", "multiprocessing"}
OUTSIDE = CLOCKS_AND_CHANCE | MACHINE | THREADS
NOW = {"now", "utcnow", "today", "fromtimestamp"}


@dataclass(frozen=True)
class Import:
    """One imported name: `from a.b import c` is a.b.c if that is a module, else a.b."""

    module: str
    target: str
    line: int


def modules() -> dict[str, Path]:
    """All modules of the package by dotted name."""
    paths = sorted((ROOT / "node").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


MODULES = modules()


def imports(module: str, source: str) -> Iterator[Import]:
    """All imports of a module, also those within functions and for types only."""
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Import):
            for name in statement.names:
                yield Import(module, name.name, statement.lineno)
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{module}:{statement.lineno}: write imports from the top: from node.…"
            for name in statement.names:
                yield Import(module, _target(str(statement.module), name.name), statement.lineno)


def _target(package: str, name: str) -> str:
    """`from package import name` may mean a module or something in it."""
    whole = f"{package}.{name}"
    return whole if whole in MODULES or whole in ROOM_OF or package == "google" else package


def longest(name: str, known: dict[str, object]) -> str | None:
    """The longest dotted prefix of `name` that is known."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in known), None)


def room_of(module: str) -> str | None:
    """The room a module stands in, or None if it is in a folder that the table does not name."""
    found = longest(module, dict(ROOM_OF))
    return None if found is None or (found == "node" and module != "node") else ROOM_OF[found]


def lives_in(module: str, home: str) -> bool:
    return module == home or module.startswith(f"{home}.")


def complaint(found: Import) -> str | None:
    """What is wrong with an import, in a sentence that says what to do, or None."""
    where, room = f"{found.module}:{found.line}", room_of(found.module)
    if room is None:
        return f"{found.module}: stands in no room; give it one in ROOM_OF in tests/test_imports.py"
    if found.target == "node" or found.target.startswith("node."):
        other = room_of(found.target)
        if other is None or (other != room and other not in SEES[room]):
            seen = ", ".join(sorted(SEES[room] | {room}))
            return f"{where}: {room} must not see {found.target} ({other}); it sees {seen}"
        if found.target.endswith("_pb2_grpc") and room not in ("net", "generated"):
            return f"{where}: {found.target} brings grpc along, which lives in node.net"
        return None
    if room == "generated":
        return None
    library = longest(found.target, dict(HOME_OF))
    if library is not None and not any(lives_in(found.module, home) for home in HOME_OF[library]):
        return f"{where}: {library} lives in {', '.join(sorted(HOME_OF[library]))}; ask that room instead"
    if pure(found.module, room) and found.target.split(".")[0] in OUTSIDE:
        return f"{where}: {room} must not import {found.target}; the outside comes in through node/ports.py"
    return None


def pure(module: str, room: str) -> bool:
    """Whether the module may know nothing of the machine; generate.py is a tool that no node runs."""
    return room in PURE and module != "node.wire.generate"


def calls_to_the_outside(source: str) -> list[str]:
    """Calls by which a module would read a clock or open a file without importing anything forbidden."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    clocks = [
        f"line {c.lineno}: .{c.func.attr}()" for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in NOW
    ]
    files = [
        f"line {c.lineno}: open()"
        for c in calls
        if isinstance(c.func, ast.Name) and c.func.id in ("open", "input", "print")
    ]
    return clocks + files


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way_and_libraries_stay_in_their_rooms(module: str) -> None:
    assert room_of(module) is not None, f"{module} stands in no room; give it one in ROOM_OF in tests/test_imports.py"
    complaints = [complaint(found) for found in imports(module, MODULES[module].read_text("utf-8"))]

    assert [text for text in complaints if text] == []


def floor_of(module: str) -> int | None:
    """The floor of flow that a module stands on, from the ground up; None outside flow."""
    parts = module.split(".")
    if parts[:2] != ["node", "flow"] or len(parts) < 3:
        return None
    return next((number for number, rooms in enumerate(FLOORS) if parts[2] in rooms), None)


def climbs(found: Import) -> bool:
    """Whether an import inside flow goes to a neighbour or up."""
    mine, other = floor_of(found.module), floor_of(found.target)
    if mine is None or other is None or found.module.split(".")[2] == found.target.split(".")[2]:
        return False
    return other > mine or (other == mine and mine > 0)


FLOW = [module for module in MODULES if module.startswith("node.flow.")]


@pytest.mark.parametrize("module", FLOW)
def test_flow_is_built_in_floors(module: str) -> None:
    assert floor_of(module) is not None, f"{module} stands on no floor; give it one in FLOORS in tests/test_imports.py"
    up = [found for found in imports(module, MODULES[module].read_text("utf-8")) if climbs(found)]

    assert [f"line {found.line}: {found.target} is not below" for found in up] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("node.flow.send.outbox", "from node.flow.receive import accept"),
        ("node.flow.duties.duty", "from node.flow.webhooks import notices"),
        ("node.flow.views.track", "from node.flow.submit import store"),
        ("node.flow.loop", "from node.flow.bodies import refs"),
    ],
)
def test_a_climb_is_noticed(module: str, source: str) -> None:
    assert [found for found in imports(module, source) if climbs(found)]


def test_no_two_files_see_each_other_in_a_circle() -> None:
    seen = {
        module: {found.target for found in imports(module, path.read_text("utf-8")) if found.target in MODULES}
        for module, path in MODULES.items()
    }
    left = {module: targets - {module} for module, targets in seen.items()}
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]

    assert sorted(left) == []


@pytest.mark.parametrize("module", [module for module in MODULES if pure(module, room_of(module) or "")])
def test_pure_rooms_read_no_clock_and_open_no_file(module: str) -> None:
    assert calls_to_the_outside(MODULES[module].read_text("utf-8")) == []


def test_the_table_has_no_circles() -> None:
    left = {room: seen - {room} for room, seen in SEES.items()}
    while left:
        free = [room for room, seen in left.items() if not seen & left.keys()]
        assert free, f"these rooms see each other in a circle: {sorted(left)}"
        for room in free:
            del left[room]


def test_every_room_of_the_table_is_known() -> None:
    assert set(ROOM_OF.values()) == SEES.keys()
    assert {room for seen in SEES.values() for room in seen} <= SEES.keys()


def speaks(module: str, source: str) -> bool:
    """Whether a file of the command line has to do with options or with words for people and programs."""
    targets = {found.target for found in imports(module, source)}
    return any(lives_in(target, own) for target in targets for own in VERBS)


@pytest.mark.parametrize(
    "module", [module for module in MODULES if lives_in(module, "node.cli") and module != "node.cli"]
)
def test_the_command_line_holds_verbs_only(module: str) -> None:
    assert speaks(module, MODULES[module].read_text("utf-8")), (
        f"{module} touches neither typer nor rich nor the command's helpers: it belongs into the room whose work it does"
    )


def test_work_in_the_command_line_is_noticed() -> None:
    assert not speaks("node.cli.drop_papers", "from node.cli import packet_new\nfrom node.office.letters import make")
    assert speaks("node.cli.ack", "from node.cli.command import As")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("node.model.lane", "from node.wire import codec"),
        ("node.model.lane", "import node.ports"),
        ("node.flow.submit.store", "import time"),
        ("node.flow.submit.store", "from os import path"),
        ("node.flow.submit.store", "from node.store.rocks import store"),
        ("node.flow.submit.store", "def late():\n    from node.directory import source"),
        ("node.node", "import grpc.aio"),
        ("node.flow.send.courier", "from node.net.peers import GrpcPeers"),
        ("node.seal.body", "from lxml import etree"),
        ("node.store.memory.store", "import rocksdict"),
        ("node.net.peers", "from structlog import get_logger"),
        ("node.net.peers", "from node.process import assembly"),
        ("node.web.console", "from node.process.assembly import start"),
        ("node.wire.codec", "import grpc"),
        ("node.wire.codec", "from node.wire.truc.v1 import mesh_service_pb2_grpc"),
        ("node.newroom.first", "import json"),
    ],
)
def test_a_forbidden_import_is_noticed(module: str, source: str) -> None:
    assert [found for found in imports(module, source) if complaint(found)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("node.flow.submit.store", "from node.rows import keys"),
        ("node.store.rocks.options", "import rocksdict"),
        ("node.wire.truc.v1.mesh_service_pb2_grpc", "import grpc"),
        ("node.net.peers", "from node.wire.truc.v1 import mesh_service_pb2_grpc"),
        ("node.cli.serve", "from node.process.assembly import start"),
        ("node.flow.send.courier", "import asyncio"),
    ],
)
def test_an_allowed_import_is_let_through(module: str, source: str) -> None:
    assert not [found for found in imports(module, source) if complaint(found)]


def test_a_clock_read_by_a_method_is_noticed() -> None:
    assert calls_to_the_outside("from datetime import datetime\nx = datetime.now()") == ["line 2: .now()"]
