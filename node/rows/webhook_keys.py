"""Webhook keys: what systems are told of events, tables `a` and `e` of the map in keys.py."""

import struct

HOOKS, HOOKED, HOOKS_DUE = b"e", b"e\0", b"a"
"""Prefixes of whole tables, for the few scans that want one."""

_MS = struct.Struct(">Q")


def hook(system: str) -> bytes:
    """Key of a system that wants to be told of events."""
    return b"e" + system.encode()


def after_hook(system: str) -> bytes:
    """Place at which the hooks go on after a system's own rows."""
    return hook(system) + b"\1"


def system_of_hook(key: bytes) -> str:
    """Return the system of a hook's key, or of one of its notices."""
    return key[1:].split(b"\0", 1)[0].decode()


def notices(system: str) -> bytes:
    """Prefix of what a system has to be told."""
    return hook(system) + b"\0"


def notice(system: str, number: int) -> bytes:
    """Key of one event that a system has to be told of."""
    return notices(system) + _MS.pack(number)


def number_of_notice(key: bytes) -> int:
    """Return the number that ends a notice's key."""
    return int(_MS.unpack(key[-8:])[0])


def hooked(unit: str) -> bytes:
    """Key under which lie the systems that are told of what reaches a unit's inbox."""
    return HOOKED + unit.encode()


def unit_of_hooked(key: bytes) -> str:
    """Return the unit of such a key."""
    return key[2:].decode()


def hook_due(due_ms: int, system: str) -> bytes:
    """Key that says when a system has to be told of something."""
    return hooks_due_from(due_ms) + system.encode()


def hooks_due_from(due_ms: int) -> bytes:
    """Place from which on hooks are due at `due_ms` or later."""
    return HOOKS_DUE + _MS.pack(due_ms)


def system_of_due(key: bytes) -> str:
    """Return the system that is due."""
    return key[9:].decode()
