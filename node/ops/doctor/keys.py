"""Check-up of keys in time: which are in use, which wait to be published or for their beginning, which end, and whether others agree."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from node.errors import Fault
from node.model.directory import NodeEntry, PublicKey
from node.model.policy import DAY_MS
from node.ops.doctor.check import Check, fine, warning, wrong
from node.ops.home import Home, passphrase_of
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.config.settings import Settings

ENDS_SOON_MS = 14 * DAY_MS
SIGNING, SEALING = "khóa ký", "khóa mở"


def check_key_times(place: Home, settings: "Settings", entry: NodeEntry, now_ms: int) -> Iterator[Check]:
    """Compare the keys on the disk with those that the directory names, and tell what comes next."""
    from node.seal.keyring import load_keys

    try:
        held = load_keys(place.keys, settings.node_id, passphrase_of(settings)).public_keys()
    except Fault:
        return  # told under "keys"
    yield from _one_kind("signing_keys", SIGNING, place, entry.signing_keys, held.signing, now_ms)
    yield from _one_kind("sealing_keys", SEALING, place, entry.sealing_keys, held.sealing, now_ms)


def in_use(named: Sequence[PublicKey], held: Collection[bytes], now_ms: int) -> PublicKey | None:
    """Return the newest key that is on the disk and that the directory names for this time; None if there is none."""
    from node.seal.public import is_usable

    usable = [key for key in named if key.raw in held and is_usable(key, now_ms)]
    return max(usable, key=lambda key: key.valid_from_ms, default=None)


def _one_kind(
    name: str, kind: str, place: Home, named: Sequence[PublicKey], held: Sequence[bytes], now_ms: int
) -> Iterator[Check]:
    used = in_use(named, held, now_ms)
    publish = f"Hãy công bố: truc unit publish {place.path}"
    if used is None:
        said = f"{kind} trong thư mục keys không phải khóa mà danh bạ ghi: nút khác sẽ từ chối nút này"
        yield wrong(name, said, f"Hãy khôi phục thư mục keys từ bản sao lưu; không còn thì {publish[4:]}")
        return
    coming = [key for key in named if key.valid_from_ms > now_ms]
    said = f"{kind} đang dùng {_short(used.raw)}"
    if used.valid_from_ms:
        said += f", từ {vietnamese.day(used.valid_from_ms)}"
    for key in coming:
        said += f"; {_short(key.raw)} bắt đầu {vietnamese.day(key.valid_from_ms)}"
    if held[0] not in {key.raw for key in named}:
        yield warning(name, f"{said}; {_short(held[0])} đã làm, chờ công bố", publish)
    elif any(key.raw not in held for key in coming):
        yield wrong(
            name, f"{said}, nhưng tệp của khóa sắp dùng không có trong thư mục keys", "Hãy khôi phục từ bản sao lưu."
        )
    elif used.valid_to_ms and used.valid_to_ms - now_ms < ENDS_SOON_MS and not coming:
        ends = f"{said}, hết hạn {vietnamese.day(used.valid_to_ms)} và chưa có khóa nối tiếp"
        yield warning(name, ends, f"Hãy chạy: truc node keys rotate {place.path} --new")
    else:
        yield fine(name, said)


def _short(raw: bytes) -> str:
    from node.seal.public import key_id_of

    return key_id_of(raw).hex()[:8]
