"""Transaction functions run twice: on another store they may be retried, in a thread (architecture.md section 5).

The rehearsal sees the same rows and is thrown away. A function that changes what made it, reads a clock or draws a number says or
writes something else the second time, and the run ends with what differs. Purity is a property of the function's text, so after its
first runs on a machine one in four of them is rehearsed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from node.ports import Tx
from node.store.embedded.overlay import OverlayTx, Reader

T = TypeVar("T")


ALWAYS_AT_FIRST = 8
THEN_EVERY = 4


class Rehearsals:
    """Tells which runs of a function are rehearsed on one machine."""

    def __init__(self) -> None:
        self._runs: dict[Any, int] = {}

    def is_due(self, fn: Callable[..., Any]) -> bool:
        """Count a run of `fn`, and tell whether this one is rehearsed."""
        code = getattr(getattr(fn, "func", fn), "__code__", fn)
        runs = self._runs[code] = self._runs.get(code, 0) + 1
        return runs <= ALWAYS_AT_FIRST or runs % THEN_EVERY == 0


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
