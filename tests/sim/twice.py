"""Every transaction function runs twice: on another store it may be retried, in a thread (architecture.md section 5).

The rehearsal sees the same rows and is thrown away. A function that changes what made it, reads a clock or draws a number says or
writes something else the second time, and the run ends with what differs.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from node.ports import Tx
from node.store.embedded.overlay import OverlayTx, Reader

T = TypeVar("T")


class NotPure(AssertionError):
    """A transaction function that does not do the same twice."""


def twice(fn: Callable[[Tx], T], reader: Reader) -> Callable[[Tx], T]:
    """Return a function that does what `fn` does, after a rehearsal over what `reader` holds, and raises NotPure if they differ."""

    def run(tx: Tx) -> T:
        rehearsal = OverlayTx(reader)
        first, first_fault = _outcome(fn, rehearsal)
        second, second_fault = _outcome(fn, tx)
        if not same(_told(first_fault), _told(second_fault)):
            raise NotPure(f"{_name(fn)} raised {first_fault!r} and then {second_fault!r}")
        if isinstance(tx, OverlayTx) and dict(rehearsal.writes) != dict(tx.writes):
            keys = sorted(k for k in {*rehearsal.writes, *tx.writes} if rehearsal.writes.get(k) != tx.writes.get(k))
            raise NotPure(f"{_name(fn)} wrote something else the second time, at {keys[:5]}")
        if not same(first, second):
            raise NotPure(f"{_name(fn)} returned {first!r} and then {second!r}")
        if second_fault is not None:
            raise second_fault
        return second

    return run


def _outcome(fn: Callable[[Tx], T], tx: Tx) -> tuple[Any, Exception | None]:
    try:
        return fn(tx), None
    except Exception as error:
        return None, error


def _told(error: Exception | None) -> Any:
    return error if error is None else (type(error), str(error))


def _name(fn: Callable[..., Any]) -> str:
    code = getattr(getattr(fn, "func", fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(fn)


def same(one: Any, other: Any) -> bool:
    """Tell whether two results say the same; objects that cannot be compared are compared by what they hold."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Exception):
        return str(one) == str(other)
    if one == other:
        return True
    names = (
        getattr(type(one), "__slots__", ()) or vars(one)
        if hasattr(one, "__dict__") or hasattr(type(one), "__slots__")
        else ()
    )
    return bool(names) and all(same(getattr(one, name), getattr(other, name)) for name in names)
