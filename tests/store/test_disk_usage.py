"""Disk usage and histograms: what lies in a home is weighed without walking through everything at once, and times are counted right."""

from pathlib import Path

from node.store.disk_usage import SHELVES, Scales
from node.store.timing import BOUNDS_S, Histogram


def furnish(home: Path) -> None:
    (home / "store").mkdir()
    (home / "store" / "000012.sst").write_bytes(bytes(1_000))
    (home / "spool").mkdir()
    (home / "spool" / "ab.part").write_bytes(bytes(10))
    for number in range(SHELVES):
        (home / "bodies" / f"{number:02x}").mkdir(parents=True)
        (home / "bodies" / f"{number:02x}" / f"{number:02x}").write_bytes(bytes(number))


def test_all_is_weighed(tmp_path: Path) -> None:
    furnish(tmp_path)
    weights = Scales(tmp_path / "store", tmp_path, shelves_time_s=60).weigh()

    assert (weights.store_bytes, weights.spool_bytes) == (1_000, 10)
    assert (weights.bodies_files, weights.bodies_bytes) == (SHELVES, sum(range(SHELVES)))


def test_shelves_are_weighed_in_turns_and_told_when_all_have_been(tmp_path: Path) -> None:
    furnish(tmp_path)
    scales = Scales(tmp_path / "store", tmp_path, shelves_time_s=-1)  # one shelf in each weighing
    seen = [scales.weigh() for _ in range(SHELVES)]

    assert [one.bodies_files for one in seen] == [None] * (SHELVES - 1) + [SHELVES]
    assert seen[-1].bodies_bytes == sum(range(SHELVES))
    (tmp_path / "bodies" / "00" / "00").write_bytes(bytes(5_000))
    assert scales.weigh().bodies_bytes == sum(range(SHELVES)) + 5_000


def test_a_home_without_folders_weighs_nothing(tmp_path: Path) -> None:
    weights = Scales(tmp_path / "store", tmp_path, shelves_time_s=60).weigh()
    assert (weights.store_bytes, weights.bodies_bytes, weights.bodies_files, weights.spool_bytes) == (0, 0, 0, 0)


def test_a_histogram_puts_each_time_under_the_first_bound_that_holds_it() -> None:
    seen = Histogram()
    for seconds in (0.0, 0.0005, 0.00051, 10.0, 11.0):
        seen.observe(seconds)
    rows = dict(seen.cumulative())

    assert (rows["0.0005"], rows["0.001"], rows["10.0"], rows["+Inf"]) == (2, 3, 4, 5)
    assert len(rows) == len(BOUNDS_S) + 1
    assert seen.sum_s == 0.0005 + 0.00051 + 10.0 + 11.0
