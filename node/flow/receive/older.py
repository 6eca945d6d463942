"""Older: what a node refuses by an older directory than the caller's, it does not know yet (decision 0014).

A parcel says by which version of the directory it is addressed. Directories reach nodes at different times, so a unit that is unknown
here, a prefix that is another's, a key that does not verify may all be so only for a moment. Such a verdict is put off, the newer
directory is fetched from the caller at once, and refused is by one that is at least as new. It is fetched also if nothing is refused:
the author of what comes may be new, too, and wants to be answered. A caller that claims a version which nobody ever gets holds up
nothing but its own packets, visibly and until they expire.
"""

from collections.abc import Iterable

from node.errors import Deferred, Fault
from node.model.directory import Directory
from node.model.mesh import Parcel
from node.model.reason import Reason
from node.model.receipt import Receipt

BY_DIRECTORY = frozenset(
    {
        Reason.WRONG_NODE,
        Reason.PEER_SPEAKS_FOR_OTHERS,
        Reason.PEER_UNKNOWN,
        Reason.ENVELOPE_SIGNATURE_INVALID,
        Reason.RELAY_NOT_ALLOWED,
    }
)
"""Refusals of a parcel that another directory may not give."""
ASK_AGAIN_MS = 3_000
"""By then the newer directory has usually come."""


class PuttingOff:
    """Within: a refusal by a directory older than the caller's becomes Deferred(DIRECTORY_OLDER).

    A class, because it is entered twice for every packet, and a generator of contextlib costs several times as much.
    """

    __slots__ = ("_directory", "_parcel")

    def __init__(self, parcel: Parcel, directory: Directory) -> None:
        self._parcel = parcel
        self._directory = directory

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if not isinstance(fault, Fault) or fault.reason not in BY_DIRECTORY:
            return
        if self._parcel.directory_version > self._directory.version:
            raise not_yet(self._parcel, self._directory, fault.detail) from fault


def require_known(receipt: Receipt, parcel: Parcel, directory: Directory) -> None:
    """Raise Deferred(DIRECTORY_OLDER) rather than let a receipt say for good that a unit is unknown which the caller knows."""
    unknown = [one.unit for one in receipt.outcomes if one.reason is Reason.RECIPIENT_UNKNOWN]
    if unknown and parcel.directory_version > directory.version:
        raise not_yet(parcel, directory, f"no unit {unknown[0]}")


def newest_named(parcels: Iterable[Parcel]) -> int:
    """Return the newest directory by which any of these parcels is addressed."""
    return max((parcel.directory_version for parcel in parcels), default=0)


def not_yet(parcel: Parcel, directory: Directory, detail: str) -> Deferred:
    """Return the fault of who has an older directory than the caller."""
    versions = f"directory {directory.version} is older than {parcel.directory_version}"
    return Deferred(Reason.DIRECTORY_OLDER, f"{versions}: {detail}", retry_after_ms=ASK_AGAIN_MS)
