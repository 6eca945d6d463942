"""The lists of agencies, and units that a system registers and closes under its own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from node.directory.zone.zone import ZoneEditor
from node.model.code import parse_code
from node.model.directory import Alias, Directory, Unit, Zone, directory_of
from node.web.vxp import agencies
from node.web.vxp.agencies import AgencyLists, Form
from tests.small_mesh import FixedDirectory, SmallMesh
from tests.web.sdk import Said, Sdk
from tests.web.support import Bridged, run, two_bridges

MANY = 3_500


def large_directory(version: int = 7, count: int = MANY) -> Directory:
    units = {
        f"H49.{number:04d}": Unit(f"H49.{number:04d}", f"Xã số {number} – Đại Lộc", (), "H49")
        for number in range(count)
    }
    units["H49"] = Unit("H49", 'UBND "tỉnh" \\ Mẫu')
    units["H49.22.05"] = Unit("H49.22.05", "Phường", (), "H49.22", valid_from_ms=1_700_000_000_000)
    units["H49.99"] = Unit("H49.99", "Sở đã đóng", (), "H49", valid_to_ms=1_750_000_000_000)
    ministry = Zone(parse_code("G14"), "g14", {"G14": Unit("G14", "Bộ Mẫu")})
    return directory_of(version, 1_760_000_000_000, [], [Zone(parse_code("H49"), "h49", units), ministry])


def let_know(mesh: SmallMesh, node_id: str, directory: Directory) -> None:
    source = mesh[node_id].ports.directory
    assert isinstance(source, FixedDirectory)
    source.directory = directory


async def listed(sdk: Sdk, operation: str, **arguments: str) -> list[dict[str, Any]]:
    said = await sdk.call(operation, **arguments)
    assert said.ok
    return list(said.json["data"])


def without_gzip(request: bytes) -> bytes:
    return request.replace(b"Accept-Encoding: gzip,deflate\r\n", b"")


def test_the_whole_directory_is_listed_with_gzip_and_without(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, mesh):
            let_know(mesh, "h49", large_directory())
            tinh = province.system("tinh", "H49")
            found = await listed(tinh, "getAgenciesList")
            assert len(found) == MANY + 3, "the closed one is not listed"
            assert found[0] == {"id": "G14", "pid": "", "code": "G14", "name": "Bộ Mẫu", "mail": ""}
            assert {"id": "H49", "pid": "", "code": "H49", "name": 'UBND "tỉnh" \\ Mẫu', "mail": ""} in found
            plain = await tinh.ask(without_gzip(tinh.request("getAgenciesList", {}, b"")))
            assert "content-encoding" not in plain.headers
            assert plain.json["data"] == found

    run(story())


def test_the_other_lists_have_their_own_members(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, mesh):
            let_know(mesh, "h49", large_directory(count=3))
            tinh = province.system("tinh", "H49")
            [third] = await listed(tinh, "getAgenciesListQD20", level="3")
            assert third == {
                "id": "H49.22.05", "pid": "H49.22", "code": "H49.22.05", "name": "Phường", "mail": "",
                "oldCode": "000.05.22.H49", "code102": "000.05.22.H49",
            }  # fmt: skip
            assert len(await listed(tinh, "getAgenciesListQD20", level="")) == 6
            assert [one["code"] for one in await listed(tinh, "getAgenciesListQD20", level="1")] == ["G14", "H49"]
            assert (await tinh.call("getAgenciesListQD20", level="0")).code == "10"

            found = {one["code"]: one for one in await listed(tinh, "getSynchronizeUnit")}
            assert found["H49.99"] == {
                "id": "H49.99", "pid": "H49", "code": "H49.99", "name": "Sở đã đóng", "mail": "", "version": 7,
                "centerCode": "H49", "deleted": True, "modifyDate": "15/06/2025 22:06:40", "isAgency": True,
            }  # fmt: skip
            assert not found["H49.22.05"]["deleted"]
            assert await listed(tinh, "getListUnit") == list(found.values())

    run(story())


def test_the_older_code_of_a_unit_with_another_number_is_that_of_its_alias_in_force(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, mesh):
            units = {code: Unit(code, "Phường") for code in ("H49.22.07", "H49.22.08", "H49.22.09")}
            aliases = [
                Alias("H49.22.05", "H49.22.07"),
                Alias("H49.22.06", "H49.22.08", 0, 1_750_000_000_000),
                Alias("H49.DN.1", "H49.22.09"),
            ]
            zone = Zone(parse_code("H49"), "h49", units, {one.code: one for one in aliases})
            let_know(mesh, "h49", directory_of(1, 0, [], [zone]))
            found = await listed(province.system("tinh", "H49"), "getAgenciesListQD20", level="")
            assert {one["code"]: one["oldCode"] for one in found} == {
                "H49.22.07": "000.05.22.H49",
                "H49.22.08": "000.08.22.H49",
                "H49.22.09": "000.09.22.H49",
            }
            assert all(one["oldCode"] == one["code102"] for one in found)

    run(story())


def test_an_empty_directory_is_an_empty_list(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, mesh):
            let_know(mesh, "h49", directory_of(1, 0, [], []))
            assert await listed(province.system("tinh", "H49"), "getAgenciesList") == []

    run(story())


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 2_000])
def test_lists_that_end_with_a_piece_are_whole(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        units = {f"H49.{n:04d}": Unit(f"H49.{n:04d}", "Xã") for n in range(count)}
        directory = directory_of(1, 0, [], [Zone(parse_code("H49"), "h49", units)])
        lists = AgencyLists(lambda: directory, lambda: 0)
        body = b"".join([piece async for piece in lists.plain(Form(agencies.AGENCIES))])
        assert len(Said(200, {}, body).json["data"]) == count

    run(story())


def test_a_list_is_made_once_for_each_version_of_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Form] = []
    pieces = agencies._pieces
    monkeypatch.setattr(agencies, "_pieces", lambda form, *rest: (made.append(form), pieces(form, *rest))[1])

    async def story() -> None:
        current = [large_directory(1)]
        lists = AgencyLists(lambda: current[0], lambda: 0)

        async def body() -> bytes:
            return b"".join([piece async for piece in lists.gzipped(Form(agencies.AGENCIES))])

        first, *others = await asyncio.gather(*(body() for _ in range(5)))
        assert all(other == first for other in [*others, await body()])
        assert len(made) == 1
        current[0] = large_directory(2)
        await body()
        assert len(made) == 2

    run(story())


def test_a_list_that_cannot_be_made_fails_for_all_who_wait_and_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [True]
    pieces = agencies._pieces

    def sometimes(*arguments: Any) -> Any:
        for piece in pieces(*arguments):
            yield piece
            if broken[0]:
                raise RuntimeError("broken")

    monkeypatch.setattr(agencies, "_pieces", sometimes)

    async def story() -> None:
        directory = large_directory()
        lists = AgencyLists(lambda: directory, lambda: 0)

        async def body() -> bytes:
            return b"".join([piece async for piece in lists.gzipped(Form(agencies.AGENCIES))])

        ended = await asyncio.gather(body(), body(), return_exceptions=True)
        assert [str(one) for one in ended] == ["broken", "broken"]
        broken[0] = False
        assert await body()

    run(story())


def unit_of(bridge: Bridged, code: str) -> Unit | None:
    return ZoneEditor.open(bridge.zone).unit(parse_code(code))


def test_a_system_registers_a_unit_under_its_own_and_speaks_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49.22")
            agency = {"id": "", "pcode": "H49.22", "code": "000.09.22.H49", "name": "Phòng Tổ chức", "mail": "a@b"}
            said = await tinh.register_agency(agency)
            assert said.ok
            assert "truc unit publish" in said.json["ErrorDesc"]
            assert unit_of(province, "H49.22.09") == Unit("H49.22.09", "Phòng Tổ chức", (), "H49.22", mail="a@b")
            system = province.context.systems.named("tinh")
            assert system is not None
            assert system.units == {"H49.22", "H49.22.09"}

            for name, code, told in (
                ("x" * 4_000, "H49.22.10", "Tên của đơn vị H49.22.10 trống, dài quá 500 ký tự"),
                ("Phòng", "xx", "xx không phải mã định danh"),
            ):
                refused = await tinh.register_agency({"code": code, "name": name})
                assert refused.code == "10", "nobody should try that again"
                assert told in refused.json["ErrorDesc"]
                assert "edXML" not in refused.json["ErrorDesc"]

            assert (await tinh.register_agency({"code": "H49.22.09", "name": "Phòng Tổ chức cán bộ"})).ok
            renamed = unit_of(province, "H49.22.09")
            assert renamed is not None
            assert (renamed.name, renamed.parent) == ("Phòng Tổ chức cán bộ", "H49.22")

            assert (await tinh.call("deleteAgency", AgencyCode="H49.22.09")).ok
            closed = unit_of(province, "H49.22.09")
            assert closed is not None
            assert closed.valid_to_ms > 0
            assert (await tinh.call("deleteAgency", AgencyCode="H49.22.09")).ok, "a repeat is harmless"
            assert unit_of(province, "H49.22.09") == closed

            assert (await tinh.register_agency({"code": "H49.22.09", "name": "Mở lại"})).ok
            again = await tinh.call("deleteAgency", AgencyCode="H49.22.09")
            assert not again.ok, "the very same signed order is not carried out twice"
            assert "ký yêu cầu mới" in again.json["ErrorDesc"]
            fresh = province.sdk("tinh", tinh.secret, timestamp="25112026T190000+0001")
            assert (await fresh.call("deleteAgency", AgencyCode="H49.22.09")).ok

    run(story())


def test_units_of_others_are_neither_registered_nor_closed(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            province.system("phuong", "H49.22.05")
            so = province.system("so", "H49.22")
            for code in ("H49.22.05", "H49.22.05.01", "H49", "H49.2", "G14", "H37.10"):
                assert (await so.register_agency({"code": code, "name": "Chiếm"})).code == "19"
                assert (await so.call("deleteAgency", AgencyCode=code)).code == "19"
            kept = unit_of(province, "H49.22.05")
            assert kept is not None
            assert (kept.name, kept.valid_to_ms) == ("Phường mẫu 5", 0)
            assert (await so.call("deleteAgency", AgencyCode="H49.22.77")).code == "18"

    run(story())


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"[" * 3_000, b'{"code":"H49.22"}', b'{"name":"A"}', b'{"code":5,"name":"A"}', b"\xff",
     b'{"code":"H49.22.01","name":"a\\nb"}', b'{"code":"H49.22.01","name":"A","pcode":"?"}', b'{"code":"?","name":"A"}'],
)  # fmt: skip
def test_a_registration_that_says_too_little_changes_nothing(tmp_path: Path, body: bytes) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49.22")
            before = ZoneEditor.open(province.zone).units()
            said = await tinh.ask(tinh.request("registerAgency", {}, body))
            assert not said.ok
            assert ZoneEditor.open(province.zone).units() == before

    run(story())


def test_orders_about_units_are_not_taken_over_a_line_on_which_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.web.vxp.bridge._is_private", lambda scope: False)

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49.22")
            assert "https" in (await tinh.register_agency({"code": "H49.22.09", "name": "A"})).json["ErrorDesc"]
            assert "https" in (await tinh.call("deleteAgency", AgencyCode="H49.22")).json["ErrorDesc"]
            assert unit_of(province, "H49.22.09") is None

    run(story())


def test_nothing_is_registered_unless_the_operator_has_opened_it_for_a_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49.22")
            systems, now_ms = province.context.systems, province.context.now_ms()
            agency = {"code": "H49.22.09", "name": "Phòng Tổ chức", "pcode": "H49.22"}
            for until_ms in (0, now_ms):
                systems.open_registrations("tinh", until_ms)
                refused = await tinh.register_agency(agency)
                assert refused.code == "19"
                assert "truc system registrations tinh" in refused.json["ErrorDesc"]
                assert not (await tinh.call("deleteAgency", AgencyCode="H49.22.05")).ok
            assert unit_of(province, "H49.22.09") is None
            known = unit_of(province, "H49.22.05")
            assert known is not None
            assert known.valid_to_ms == 0
            assert (await tinh.register_agency({"code": "H49.22.05", "name": known.name})).ok, "that changes nothing"
            systems.open_registrations("tinh", now_ms + 60_000)
            assert (await tinh.register_agency(agency)).ok

    run(story())
