"""Opaque codes at the command line: asked for, granted, listed, connected; and each mistake in words of its own."""

from pathlib import Path

import pytest

from tests.cli.conftest import Admitted, Truc


def test_an_enterprise_is_granted_added_published_and_connected(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    early = truc("unit", "add", admitted.home, "031234567890", "Công ty Mẫu")
    assert "chưa được giao cho nút này" in early.err

    granted = truc("authority", "leaf", admitted.authority, "h37", "031234567890", "0101234567-001", "--json")
    assert granted.document["leaves"] == ["0101234567001", "031234567890"]
    assert truc("authority", "publish", admitted.authority).code == 0
    assert truc("node", "update", admitted.home, admitted.authority / "public").code == 0
    for code, name in (("031234567890", "Công ty Mẫu"), ("0101234567-001", "Chi nhánh Mẫu")):
        assert truc("unit", "add", admitted.home, code, name).code == 0
    assert truc("unit", "publish", admitted.home, "--authority", admitted.authority).code == 0
    assert truc("node", "update", admitted.home, admitted.authority / "public").code == 0
    assert "đã công bố đủ" in truc("doctor", admitted.home).out
    assert truc("system", "add", admitted.home, "dn", "--unit", "0101234567-001", "-o", tmp_path / "dn.json").code == 0

    taken = truc("authority", "leaf", admitted.authority, "h37", "--remove", "031234567890")
    assert "Đã thu lại của nút h37 1 mã riêng" in taken.out


def test_codes_are_granted_from_a_file_and_a_wrong_line_grants_nothing(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    rows = "".join(f"0{number:09}\n" for number in range(1, 501))
    (tmp_path / "dn.csv").write_text("code\n" + rows, "utf-8")
    many = truc("authority", "leaf", admitted.authority, "h37", "--from", tmp_path / "dn.csv")
    assert "500 mã riêng" in many.out
    (tmp_path / "sai.csv").write_text("code\n0101234567\nH37.01\n", "utf-8")
    wrong = truc("authority", "leaf", admitted.authority, "h37", "--from", tmp_path / "sai.csv", "--json")
    assert (wrong.code, wrong.reason) == (65, "CODE_MALFORMED")
    [shown] = truc("authority", "show", admitted.authority, "--json").document["nodes"]
    assert len(shown["leaves"]) == 500


def test_a_node_asks_for_opaque_codes_when_it_is_made(truc: Truc, tmp_path: Path) -> None:
    home, authority = tmp_path / "nut", tmp_path / "danh-ba"
    assert truc("authority", "create", authority, "--name", "Cơ quan mẫu").code == 0
    made = truc("node", "create", home, "--id", "dn", "--name", "Cổng doanh nghiệp", "--prefix", "0101234567")
    assert made.code == 0
    admitted = truc("authority", "admit", authority, home / "join-request.truc", "--json").document["admitted"]
    assert (admitted["prefixes"], admitted["leaves"]) == ([], ["0101234567"])


@pytest.mark.parametrize("code", ["Z01", "Z01.05"])
def test_z_with_groups_is_nobodys(truc: Truc, tmp_path: Path, code: str) -> None:
    refused = truc("node", "create", tmp_path / "nut", "--id", "z", "--name", "Z", "--prefix", code)
    assert refused.code == 65
    assert "mã Z viết liền" in refused.err
    assert not (tmp_path / "nut").exists()
