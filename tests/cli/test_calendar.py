"""truc calendar: which days are worked, by which table, and whether that table is whole; and deadlines in words."""

from pathlib import Path

import pytest

from node.cli.deadlines import overdue, sentence, until
from node.model.deadline import Deadline, DeadlineKind
from tests.cli.conftest import Truc

AT_MS = 1_795_345_200_123
"""2026-11-22 18:00:00.123 in Vietnam."""
DAY_END_MS = 1_795_366_799_999
"""The end of that day."""
HOUR_MS = 3_600_000


def test_a_confirmed_year_is_shown_with_its_swaps(truc: Truc) -> None:
    shown = truc("calendar", "show", "2026")
    document = truc("calendar", "show", "2026", "--json").document

    assert shown.code == 0
    assert "Tết Bính Ngọ" in shown.out
    assert "chưa có bảng ngày nghỉ" not in shown.out
    assert document["confirmed"] is True
    assert [one["day"] for one in document["worked"]] == ["2026-01-10", "2026-08-22"]
    assert len(document["off"]) == 13


def test_a_year_that_is_not_confirmed_says_so(truc: Truc) -> None:
    for year in ("2027", "2031"):
        assert "chưa có bảng ngày nghỉ được xác nhận" in truc("calendar", "show", year).out
        document = truc("calendar", "show", year, "--json").document
        assert document["confirmed"] is False
        assert {one["day"][5:] for one in document["off"]} >= {"01-01", "04-30", "05-01", "09-02"}


def test_this_year_is_shown_unless_another_is_named(truc: Truc) -> None:
    assert truc("calendar", "show", "--json").document["year"] >= 2026


def test_a_nodes_own_table_goes_before_ours(truc: Truc, home: Path) -> None:
    (home / "ngay-nghi.toml").write_text(
        '[2027]\nconfirmed = true\noff = [{ from = 2027-02-05, to = 2027-02-11, name = "Tết Đinh Mùi" }]\n', "utf-8"
    )
    settings = home / "node.toml"
    settings.write_text(settings.read_text("utf-8").replace("# file = ", "file = "), "utf-8")

    assert "Tết Đinh Mùi" in truc("calendar", "show", "2027", "--home", home).out
    assert truc("calendar", "show", "2027", "--json").document["confirmed"] is False
    (home / "ngay-nghi.toml").write_text("[2027]\n", "utf-8")
    refused = truc("calendar", "show", "--home", home, "--json")
    assert (refused.code, refused.reason) == (78, "SETTINGS_INVALID")
    assert "2027.confirmed" in refused.document["error"]["detail"]


def test_a_node_with_a_wrong_table_does_not_start_and_the_doctor_says_why(truc: Truc, home: Path) -> None:
    settings = home / "node.toml"
    settings.write_text(settings.read_text("utf-8").replace("# file = ", "file = "), "utf-8")
    refused = truc("serve", home, "--json")
    checks = {one["name"]: one for one in truc("doctor", home, "--json").document["checks"]}

    assert (refused.code, refused.reason) == (78, "SETTINGS_INVALID")
    assert "ngay-nghi.toml" in refused.document["error"]["detail"]
    assert (checks["calendar"]["state"], "ngay-nghi.toml" in checks["calendar"]["said"]) == ("wrong", True)


@pytest.mark.parametrize(
    ("one", "now_ms", "said"),
    [
        (Deadline(DeadlineKind.RECEIPT, DAY_END_MS), AT_MS, "báo đã nhận trước hết ngày 22/11/2026"),
        (Deadline(DeadlineKind.REGISTER, AT_MS), AT_MS - 1, "đăng ký trước 18:00 22/11/2026"),
        (Deadline(DeadlineKind.DUE, AT_MS), AT_MS + 3 * HOUR_MS, "QUÁ HẠN trả lời 3 giờ (18:00 22/11/2026)"),
        (Deadline(DeadlineKind.SEND, AT_MS, AT_MS), AT_MS, "gửi đúng hạn"),
        (Deadline(DeadlineKind.SEND, AT_MS, AT_MS + HOUR_MS), AT_MS, "gửi muộn 1 giờ"),
    ],
)
def test_a_deadline_in_words(one: Deadline, now_ms: int, said: str) -> None:
    assert sentence(one, now_ms) == said


def test_overdue_is_what_is_still_owed() -> None:
    late = Deadline(DeadlineKind.SEND, AT_MS, AT_MS + 1)
    owed = Deadline(DeadlineKind.DUE, AT_MS)

    assert overdue([late, owed, Deadline(DeadlineKind.RECEIPT, AT_MS + 9)], AT_MS + 5) == [owed]
    assert until(DAY_END_MS) == "hết ngày 22/11/2026"
