"""The checklist against software in a real sandbox: good software passes, and one that gets one thing wrong fails at just that point."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from node.access.credential import Credential
from node.conformance.acts import Manner
from node.conformance.checks import BUSINESS, CHECKS
from node.conformance.run import Report, Target, run
from node.conformance.scene import Limit
from node.conformance.verdict import Outcome
from node.model.policy import MIB
from node.sandbox.cast import CONFORMANCE, Member
from node.sandbox.door import refusals
from node.sandbox.running import Options, Sandbox
from node.sandbox.site import CONFORMANCE_CREDENTIAL, WATCHER_CREDENTIAL, Site
from node.sandbox.world import make_site
from tests.conformance.sabotage import SABOTAGED
from tests.conformance.vendor import Vendor
from tests.web.sdk import Sdk

LIMIT_S = 120.0
SMALL_BUT_LARGE_BYTES = 5 * MIB // 4
"""Enough to travel as a large packet does."""
MANNER = Manner(settle_s=2.0, largest_bytes=SMALL_BUT_LARGE_BYTES)
GOOD = 0
"""Stands for the software that gets nothing wrong; it is the first."""
SOFTWARE: dict[int, type[Vendor]] = {GOOD: Vendor, **SABOTAGED}


async def judged(site: Site, software: Sequence[type[Vendor]]) -> list[Report]:
    """Run all of them at the same time, each for a unit and with a system of its own."""
    sandbox = await Sandbox.start(site, Options(every_s=0))
    try:
        async with asyncio.TaskGroup() as group:
            polling = [
                group.create_task(made(Sdk(port_of(bridge.endpoint), bridge.systemid, bridge.secret), unit).run())
                for made, unit, bridge in zip(software, site.units, site.bridges, strict=True)
            ]
            limit, begun_s = Limit(LIMIT_S), time.monotonic()
            runs = [
                group.create_task(run(target(sandbox, unit), limit, MANNER, lambda check, verdict: None))
                for unit in site.units
            ]
            await runs[GOOD]
            # All work side by side: what took the good one so long takes the others no longer than half as long again.
            limit.end_in(3.0 + (time.monotonic() - begun_s) / 2)
            reports = await asyncio.gather(*runs)
            for task in polling:
                task.cancel()
    finally:
        await sandbox.stop()
    return list(reports)


def port_of(endpoint: str) -> int:
    return int(endpoint.removesuffix("/vxp").rpartition(":")[2])


def target(sandbox: Sandbox, unit: Member) -> Target:
    folder = sandbox.site.folder
    return Target(
        Credential.load(folder / CONFORMANCE_CREDENTIAL),
        Credential.load(folder / WATCHER_CREDENTIAL),
        CONFORMANCE,
        unit,
        sandbox.clock.now_ms(),
        lambda: refusals(sandbox),
    )


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Report]:
    units = [Member(f"H99.{number:02}", f"Đơn vị thử {number} (mẫu)") for number in range(1, len(SOFTWARE) + 1)]
    now_ms = time.time_ns() // 1_000_000
    site = make_site(
        tmp_path_factory.mktemp("conformance") / "hop-cat", now_ms, units, system_per_unit=True, first_port=0
    )
    found = asyncio.run(judged(site, list(SOFTWARE.values())))
    return dict(zip(SOFTWARE, found, strict=True))


pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def told(report: Report, outcome: Outcome) -> dict[str, str]:
    return {check.code: report.verdicts[check.number].evidence_en for check in report.of(outcome)}


def test_good_software_passes_every_point(reports: dict[int, Report]) -> None:
    report = reports[GOOD]

    assert told(report, Outcome.FAIL) == {}
    assert {check.number for check in report.of(Outcome.PASS)} == {check.number for check in CHECKS} - {BUSINESS}
    assert report.is_complete


@pytest.mark.parametrize("number", SABOTAGED)
def test_software_that_gets_one_thing_wrong_fails_at_that_point_alone(reports: dict[int, Report], number: int) -> None:
    failed = told(reports[number], Outcome.FAIL)

    assert list(failed) == [f"KT-{number:02}"], failed
    assert failed[f"KT-{number:02}"], "the evidence says why"


def test_every_point_has_software_that_fails_at_it() -> None:
    assert SABOTAGED.keys() == {check.number for check in CHECKS} - {BUSINESS}, "BUSINESS is in test_packets.py"
