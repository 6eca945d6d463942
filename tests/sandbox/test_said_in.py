"""What is said to the sandbox with curl: words, a form or JSON, alike for every call; and a slip is named."""

import pytest

from node.errors import Rejected
from node.sandbox.door import said_in

SEND = ("kind", "unit")


@pytest.mark.parametrize(
    "body",
    [
        "withdraw H99.01",
        "kind=withdraw&unit=H99.01",
        '{"kind": "withdraw", "unit": "H99.01"}',
        "unit=H99.01&kind=withdraw",
    ],
)
def test_all_ways_are_one(body: str) -> None:
    assert said_in(body, SEND) == {"kind": "withdraw", "unit": "H99.01"}


@pytest.mark.parametrize(
    ("body", "names", "said"),
    [
        ("2d", ("by",), {"by": "2d"}),
        ("by=2d", ("by",), {"by": "2d"}),
        ('{"by": "2d"}', ("by",), {"by": "2d"}),
        ('{"by": 2}', ("by",), {"by": "2"}),
        ("new", SEND, {"kind": "new"}),
        ('{"kind": "new", "unit": null}', SEND, {"kind": "new"}),
        ("", SEND, {}),
    ],
)
def test_what_is_said(body: str, names: tuple[str, ...], said: dict[str, str]) -> None:
    assert said_in(body, names) == said


@pytest.mark.parametrize("body", ["new H99.01 now", "kid=new", '{"kind": "new", "by": "x"}', '{"kind"', "{" * 100_000])
def test_a_slip_is_named(body: str) -> None:
    with pytest.raises(Rejected) as caught:
        said_in(body, SEND)
    assert len(caught.value.detail) < 200
