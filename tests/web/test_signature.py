"""Signatures: what one proves, and what is believed without one: nothing."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Denied, Rejected
from node.model.office import System
from node.model.reason import Reason
from node.web.vxp.signature import Signed, verify
from tests.web.sdk import Sdk, gson, sign

SECRET = "c2VjcmV0IHRoYXQgaXMgdXNlZCBhcyBpdCBpcw=="
SYSTEM = System("qlvb", frozenset({"H49"}))


class Secrets:
    """Secrets as they were known a while ago, and as they are now."""

    def __init__(self, known: str, now: str) -> None:
        self._known, self._now = known.encode(), now.encode()

    def secret_of(self, name: str, *, now: bool = False) -> bytes | None:
        return (self._now if now else self._known) or None


def check(fields: list[tuple[str, str]], *, secret: str = SECRET, now: str | None = None) -> Signed:
    octets = [(name.lower().encode(), text.encode()) for name, text in fields]
    secrets = Secrets(secret, secret if now is None else now)
    return verify(octets, lambda name: SYSTEM if name == "qlvb" else None, secrets)


def signed_by_library(**arguments: str) -> list[tuple[str, str]]:
    return Sdk(0, "qlvb", SECRET).signed_fields(arguments, "application/json")


def with_field(fields: list[tuple[str, str]], name: str, text: str | None) -> list[tuple[str, str]]:
    others = [pair for pair in fields if pair[0] != name]
    return others if text is None else [*others, (name, text)]


def reason_of(fields: list[tuple[str, str]], **more: str) -> Reason:
    with pytest.raises(Denied) as refused:
        check(fields, **more)
    return refused.value.reason


def test_what_the_library_signs_is_believed_under_its_exact_names() -> None:
    signed = check(signed_by_library(docId="a", docid="b", filePath="/thư mục"))

    assert signed.system is SYSTEM
    assert (signed.arguments["docId"], signed.arguments["docid"]) == ("a", "b")
    assert signed.argument("filePath") == "/thư mục"
    assert signed.argument("absent") == ""
    with pytest.raises(Rejected, match="XroadVnpt-to is not among"):
        signed.required("to")


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))
def test_any_text_in_any_order_is_verified_over_its_octets(arguments: dict[str, str]) -> None:
    given_members = [("XroadVnpt-systemid", "qlvb"), *((f"XroadVnpt-x{n}", t) for n, t in arguments.items())]
    text = gson(given_members)
    fields = [
        ("XroadVnpt-systemid", "qlvb"),
        ("XroadVnpt-sign-header", text),
        ("XroadVnpt-hash-header", sign(SECRET, text)),
    ]

    assert dict(check(fields).arguments) == {n.removeprefix("XroadVnpt-"): t for n, t in dict(given_members).items()}


@pytest.mark.parametrize("name", ["systemid", "sign-header", "hash-header"])
def test_without_one_of_its_three_parts_there_is_no_signature(name: str) -> None:
    fields = signed_by_library()

    assert reason_of(with_field(fields, f"XroadVnpt-{name}", None)) is Reason.CREDENTIAL_MISSING
    assert reason_of(with_field(fields, f"XroadVnpt-{name}", "")) is Reason.CREDENTIAL_MISSING
    assert reason_of([*fields, (f"XroadVnpt-{name}", dict(fields)[f"XroadVnpt-{name}"])]) is Reason.CREDENTIAL_MISSING


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("XroadVnpt-systemid", "other"),
        ("XroadVnpt-systemid", "qlvb\u00e9"),
        ("XroadVnpt-sign-header", "{}"),
        ("XroadVnpt-hash-header", "0" * 64),
        ("XroadVnpt-hash-header", "0" * 63),
        ("XroadVnpt-hash-header", "é" * 32),
    ],
)
def test_anything_else_in_their_place_is_wrong(name: str, text: str) -> None:
    assert reason_of(with_field(signed_by_library(), name, text)) is Reason.CREDENTIAL_WRONG


def test_another_secret_or_none_is_wrong() -> None:
    assert reason_of(signed_by_library(), secret="another") is Reason.CREDENTIAL_WRONG
    assert reason_of(signed_by_library(), secret="") is Reason.CREDENTIAL_WRONG
    forged = with_field(signed_by_library(), "XroadVnpt-hash-header", sign("nobody", "x"))
    assert reason_of(forged, secret="") is Reason.CREDENTIAL_WRONG


def test_a_secret_that_was_made_a_moment_ago_counts() -> None:
    assert check(signed_by_library(), secret="old", now=SECRET).system is SYSTEM
    assert check(signed_by_library(), secret="", now=SECRET).system is SYSTEM


def test_an_empty_secret_signs_nothing() -> None:
    text = gson([("XroadVnpt-systemid", "qlvb")])
    for key in ("", "nobody"):
        fields = [
            ("XroadVnpt-systemid", "qlvb"),
            ("XroadVnpt-sign-header", text),
            ("XroadVnpt-hash-header", hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()),
        ]
        assert reason_of(fields, secret="") is Reason.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    "text",
    [
        '{"XroadVnpt-systemid":"other"}',
        '{"XroadVnpt-docId":"a"}',
        '{"XroadVnpt-systemid":"qlvb","XroadVnpt-docId":"a","XroadVnpt-docId":"b"}',
        '{"XroadVnpt-systemid":"qlvb","XroadVnpt-docId":["a"]}',
        '{"XroadVnpt-systemid":"qlvb","XroadVnpt-docId":null}',
        '["XroadVnpt-systemid"]',
        "[" * 5_000,
        "not json",
    ],
)
def test_signed_text_that_is_no_flat_object_or_names_another_system_is_wrong(text: str) -> None:
    fields = [
        ("XroadVnpt-systemid", "qlvb"),
        ("XroadVnpt-sign-header", text),
        ("XroadVnpt-hash-header", sign(SECRET, text)),
    ]
    assert reason_of(fields) is Reason.CREDENTIAL_WRONG


def test_plain_fields_are_not_looked_at() -> None:
    fields = signed_by_library(docId="mine")
    altered = [*with_field(fields, "XroadVnpt-docId", "another's"), ("XroadVnpt-status", "done")]

    assert check(altered).arguments == check(fields).arguments
