"""Faults as people are told of them: one sentence with the value in it, nothing in English, nothing that this door does not have."""

import pytest

from node.directory.zone.listing import NotOurs
from node.errors import ADVICE, fault
from node.model.code import parse_code
from node.model.reason import Reason
from node.wording.told import Door, told, words

CASES = [
    (Reason.NOT_FOUND, "no node 'abc' in the directory", "Danh bạ không có nút nào tên abc."),
    (Reason.NOT_FOUND, 'no packet, submission or document "a\'b" of this system; name what', "tên a'b."),
    (Reason.NOT_FOUND, "nothing in the inbox begins with 00ab", "tên 00ab."),
    (Reason.UNIT_NOT_OWNED, "system so does not speak for H49", "truc system edit HOME so --add H49"),
    (Reason.REQUEST_INVALID, "a b.xml: No such file or directory", "Không có tệp hay thư mục a b.xml."),
    (Reason.REQUEST_INVALID, "\u0111ơn vị tiếp nhận H1 sai", "\u0110ơn vị tiếp nhận H1 sai."),
    (Reason.KEY_FILE_EXPOSED, "/n/x.json has mode 0644", "chmod 600 /n/x.json"),
    (Reason.CODE_MALFORMED, "not an identifier code: 'H49\\xa0'", "Trong đó có dấu cách lạ"),
    (Reason.CODE_MALFORMED, "not an identifier code: '\uff2849'", "cỡ rộng"),
    (Reason.CODE_MALFORMED, "not an identifier code: 'H49,22'", "khác dấu chấm"),
    (Reason.CODE_MALFORMED, "not an identifier code: 'H49\u201322'", "gạch dài"),
    (Reason.CODE_MALFORMED, "not an identifier code: ''", "(trống) không phải mã định danh."),
    (Reason.DIRECTORY_INVALID, "the root's fingerprint is aa-bb, not cc", "Có thể có kẻ giả danh bạ"),
    (Reason.RECIPIENT_UNKNOWN, "no recipient can be served: H49.99, H50", "không có đơn vị H49.99, H50."),
    (
        Reason.PEER_UNREACHABLE,
        "UNAVAILABLE: x; ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
        "nào nghe ở 127.0.0.1:1",
    ),
]


@pytest.mark.parametrize(("reason", "detail", "said"), CASES)
def test_usual_details_have_a_sentence_of_their_own(reason: Reason, detail: str, said: str) -> None:
    found = words(reason, detail)
    assert said in found.sentence
    assert found.detail == ""


def test_what_is_not_listed_gets_the_advice_and_the_detail() -> None:
    assert words(Reason.IO_FAILED, "something odd") == (ADVICE[Reason.IO_FAILED], "something odd")
    assert words(Reason.REQUEST_INVALID, "something odd").detail == "something odd"


def test_a_class_with_an_advice_of_its_own_has_said_all() -> None:
    mine = NotOurs("unit", parse_code("H49.01"), [parse_code("H37")])
    assert told(mine) == ("H49.01 không nằm dưới tiền tố nào của nút này (H37). Hãy kiểm tra lại mã.", "")
    assert told(fault(Reason.DISK_FULL, "x")) == (ADVICE[Reason.DISK_FULL], "x")


@pytest.mark.parametrize("door", [Door.BRIDGE, Door.FOLDER])
def test_no_command_and_no_option_is_told_where_there_is_no_command_line(door: Door) -> None:
    sentences = [words(reason, "", door).sentence for reason in ADVICE]
    sentences += [words(reason, detail, door).sentence for reason, detail, _ in CASES]
    for sentence in sentences:
        assert sentence
        assert "'truc " not in sentence
        assert "--" not in sentence
        assert "HOME" not in sentence
        assert "tùy chọn" not in sentence
