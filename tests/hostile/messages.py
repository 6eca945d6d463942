"""Messages: any message of a proto with odd values in its fields, and octets that are nearly one. For hypothesis."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

DEPTH_MAX = 4
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
TEXTS = [
    "",
    "H49.22",
    "G14",
    "h49",
    "g14",
    "evil",
    "000.00.22.H49",
    "H49.22.",
    "../x",
    "\u202e",
    "a" * 200,
    "\x00",
    "H49.22\n",
]
TIMES = [0, 1, 1_790_000_000_000, 2**53, 2**62, 2**63 - 1, -1]


def messages(kind: type[Message], depth: int = 0) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of a kind: each field unset, usual or odd; repeated ones up to four times."""
    descriptor: Descriptor = kind.DESCRIPTOR
    fields = {field.name: st.none() | _field(field, depth) for field in descriptor.fields if _fits(field, depth)}
    return st.fixed_dictionaries(fields).map(lambda chosen: _made(kind, chosen))


def octets(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Return a strategy for octets: of a message, of one that is cut off or has wrong octets in it, or of nothing at all."""

    def damaged(drawn: tuple[bytes, int, bytes]) -> bytes:
        whole, at, other = drawn
        at = at % (len(whole) + 1)
        return whole[:at] + other + whole[at + len(other) :]

    whole = messages(kind).map(lambda one: bytes(one.SerializeToString()))
    return st.one_of(
        whole, st.tuples(whole, st.integers(0, 10_000), st.binary(max_size=4)).map(damaged), st.binary(max_size=200)
    )


def _fits(field: FieldDescriptor, depth: int) -> bool:
    return field.message_type is None or (depth < DEPTH_MAX and not field.message_type.GetOptions().map_entry)


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    one = _value(field, depth)
    return st.lists(one, max_size=4) if field.is_repeated else one


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(field.message_type._concrete_class, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.one_of(st.sampled_from([b"", bytes(8), bytes(16), bytes(32), bytes(64)]), st.binary(max_size=70))
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.one_of(st.sampled_from(TEXTS), st.text(max_size=20))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    low, high = INTEGERS[field.cpp_type]
    usual = [time for time in TIMES if low <= time <= high]
    return st.one_of(st.integers(0, 5), st.sampled_from(usual), st.integers(low, high))


def _made(kind: type[Message], chosen: dict[str, Any]) -> Message:
    message = kind()
    for name, value in chosen.items():
        if value is None:
            continue
        if isinstance(value, list):
            getattr(message, name).extend(value)
        elif isinstance(value, Message):
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)
    return message
