"""From when and until when keys are listed: every step of their life, over the same three lists."""

from node.model.directory import PublicKey
from node.model.policy import DAY_MS
from node.ops.key_times import GRACE_MS, OVERLAP_MS, listed

NOW = 1_790_000_000_000
KEEP_MS = 61 * DAY_MS
A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def key(raw: bytes, from_ms: int = 0, to_ms: int = 0) -> PublicKey:
    return PublicKey(raw, 1, from_ms, to_ms)


def listing(said: list[PublicKey], published: list[PublicKey], held: list[bytes], now_ms: int = NOW) -> list[PublicKey]:
    return list(listed(said, published, held, now_ms, keep_ms=KEEP_MS))


def test_a_first_key_is_listed_without_times_before_and_after_it_is_published() -> None:
    assert listing([], [], [A]) == [key(A)]
    assert listing([key(A)], [], [A]) == [key(A)]
    assert listing([key(A)], [key(A)], [A]) == [key(A)]


def test_a_new_key_begins_after_the_overlap_and_the_old_one_ends_a_grace_later() -> None:
    begins = NOW + OVERLAP_MS
    described = [key(B, begins), key(A, 0, begins + GRACE_MS)]
    assert listing([key(A)], [key(A)], [B, A]) == described
    assert listing(described, [key(A)], [B, A], NOW + 5) == described, "said again it stays"
    late = NOW + 2 * OVERLAP_MS
    again = [key(B, late + OVERLAP_MS), key(A, 0, late + OVERLAP_MS + GRACE_MS)]
    assert listing(described, [key(A)], [B, A], late) == again, "nobody has published it in time"


def test_what_is_published_stays_until_the_old_key_is_needed_no_more() -> None:
    ends = NOW + GRACE_MS
    both = [key(B, NOW), key(A, 0, ends)]
    for now_ms in (NOW - 1, NOW, ends + 1, ends + KEEP_MS - 1):
        assert listing(both, both, [B, A], now_ms) == both
    assert listing(both, both, [B, A], ends + KEEP_MS) == [key(B, NOW)]
    assert listing([key(B, NOW)], both, [B], ends + KEEP_MS + 1) == [key(B, NOW)], "and does not come back"


def test_three_keys_one_after_the_other() -> None:
    both = [key(B, NOW), key(A, 0, NOW + GRACE_MS)]
    later = NOW + 30 * DAY_MS
    begins = later + OVERLAP_MS
    assert listing(both, both, [C, B, A], later) == [
        key(C, begins),
        key(B, NOW, begins + GRACE_MS),
        key(A, 0, NOW + GRACE_MS),
    ]


def test_a_zone_that_was_lost_learns_the_times_from_the_directory() -> None:
    both = [key(B, NOW), key(A, 0, NOW + GRACE_MS)]
    assert listing([], both, [B, A]) == both


def test_a_revoked_key_is_gone_at_once_and_stays_away() -> None:
    gone = [key(B, NOW)]
    assert list(listed([key(A)], [key(A)], [B, A], NOW, revoke=True)) == gone
    assert listing(gone, [key(A)], [B, A], NOW + 5 * DAY_MS) == gone, "however late it is published"
    assert listing(gone, gone, [B, A], NOW + 5) == gone
    waiting = listing([key(A)], [key(A)], [B, A])
    assert list(listed(waiting, [key(A)], [B, A], NOW + 5, revoke=True)) == [key(B, NOW + 5)], (
        "one that waited begins now"
    )
    assert list(listed([key(A)], [key(A)], [A], NOW, revoke=True)) == [key(A)], "there must be a new one first"


def test_a_key_in_place_of_a_damaged_one_begins_at_once() -> None:
    assert listing([key(A)], [key(A)], [B]) == [key(B, NOW), key(A, 0, NOW + GRACE_MS)]


def test_a_file_that_nobody_has_heard_of_and_that_is_not_the_newest_is_not_listed() -> None:
    assert listing([key(B)], [key(B)], [B, A]) == [key(B)]
