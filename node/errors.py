"""Errors: faults, which is what the world can do to us, in four kinds named by who must act.

    Rejected   the author of the packet or request must change it
    Denied     the operator of the calling system or peer must act
    Deferred   nobody: it is tried again, `retry_after_ms` says when
    Broken     the operator of this node must act

The kind follows from the Reason, so `fault(reason, detail)` makes the right one. One table gives each kind its gRPC code, HTTP
status and exit code, and each Reason a Vietnamese sentence of advice. Our own mistakes are assertions and never come here.
"""

from dataclasses import dataclass
from typing import ClassVar

from node.model.reason import Reason

EXIT_OK = 0
EXIT_BUG = 70
"""sysexits EX_SOFTWARE: an assertion of ours failed."""


class Fault(Exception):
    """Something the world did. `detail` is English for logs and developers; `advice` is Vietnamese for people."""

    grpc_code: ClassVar[str]
    http_status: ClassVar[int]
    exit_code: ClassVar[int]

    def __init__(self, reason: Reason, detail: str = "", *, retry_after_ms: int = 0) -> None:
        super().__init__(f"{reason.name}: {detail}" if detail else reason.name)
        self.reason = reason
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        self.was_sent = True
        """Of a call to another node: False if it is sure that nothing of it has left us."""

    @property
    def advice(self) -> str:
        """One Vietnamese sentence: what is wrong and what to do."""
        return ADVICE[self.reason]


class Rejected(Fault):
    """The author must act: the same request will never be accepted."""

    grpc_code, http_status, exit_code = "INVALID_ARGUMENT", 400, 65


class Denied(Fault):
    """The caller's operator must act: credentials, certificates, keys or directory are not right."""

    grpc_code, http_status, exit_code = "PERMISSION_DENIED", 403, 77


class Deferred(Fault):
    """Nobody must act: the same request will be accepted later."""

    grpc_code, http_status, exit_code = "UNAVAILABLE", 503, 75


class Broken(Fault):
    """This node's operator must act."""

    grpc_code, http_status, exit_code = "FAILED_PRECONDITION", 500, 78


def kind_of(reason: Reason) -> type[Fault]:
    """Return the kind of fault that a reason belongs to (by its range, see reason.proto)."""
    assert reason != Reason.NONE
    if reason < 40:
        return Rejected
    if reason < 70:
        return Denied
    return Deferred if reason < 100 else Broken


def fault(reason: Reason, detail: str = "", *, retry_after_ms: int = 0) -> Fault:
    """Make the fault of the right kind."""
    return kind_of(reason)(reason, detail, retry_after_ms=retry_after_ms)


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """Something wrong that was found by looking (doctor, health), not by failing."""

    reason: Reason
    advice: str
    grave: bool


ADVICE: dict[Reason, str] = {
    Reason.NONE: "Không có lỗi.",
    Reason.PACKET_NOT_XML: "Tệp không phải XML. Hãy gửi đúng tệp edXML do phần mềm QLVB xuất ra.",
    Reason.PACKET_HAS_DTD: "Gói tin có DOCTYPE hoặc thực thể, edXML không cho phép. Hãy xuất lại gói tin không có DOCTYPE.",
    Reason.PACKET_TRUNCATED: "Gói tin bị cắt cụt. Hãy xuất hoặc tải lại tệp rồi gửi lại.",
    Reason.PACKET_WRONG_NAMESPACE: "Không thấy edXMLEnvelope theo QCVN 102:2016. Hãy kiểm tra không gian tên của gói tin.",
    Reason.PACKET_NO_SENDER: "Gói tin thiếu nơi gửi (From/OrganId). Hãy điền mã định danh cơ quan gửi.",
    Reason.PACKET_NO_RECIPIENT: "Gói tin thiếu nơi nhận (To/OrganId, hoặc ResponseFor/OrganId với gói trạng thái).",
    Reason.PACKET_TOO_LARGE: "Gói tin vượt quá dung lượng nút này nhận. Hãy giảm tệp đính kèm hoặc đề nghị quản trị nút nâng giới hạn.",
    Reason.CODE_MALFORMED: "Mã định danh sai dạng. Dạng đúng: H49.22.05, 000.05.22.H49, Z01ABC, hoặc số đăng ký doanh nghiệp.",
    Reason.RECIPIENT_UNKNOWN: "Không có đơn vị nào mang mã này trong danh bạ. Hãy tìm lại bằng 'truc unit search'.",
    Reason.ID_REUSED: "Mã lần gửi này đã dùng cho một gói tin khác. Hãy chọn mã lần gửi mới.",
    Reason.EXPIRED: "Quá hạn mà chưa giao được. Hãy kiểm tra nút nhận rồi gửi lại.",
    Reason.REQUEST_INVALID: "Yêu cầu thiếu hoặc sai trường dữ liệu. Hãy xem chi tiết và sửa lại.",
    Reason.PACKET_TOO_COMPLEX: "Gói tin có quá nhiều phần tử, nơi nhận hoặc tệp đính kèm. Hãy chia nhỏ.",
    Reason.NOT_FOUND: "Không tìm thấy gói tin này trong hộp của các đơn vị mà hệ thống được giao.",
    Reason.SUBMISSION_INCOMPLETE: "Gói tin chưa gửi hết đã ngắt. Hãy gửi lại với cùng mã lần gửi.",
    Reason.STATUS_MALFORMED: "Gói trạng thái thiếu StatusCode hai chữ số. Hãy kiểm tra phần mềm QLVB.",
    Reason.NOT_ALL_SERVED: "Có nơi nhận không phục vụ được nên cả gói bị từ chối. Hãy sửa nơi nhận hoặc bỏ tùy chọn 'tất cả hoặc không'.",
    Reason.PACKET_BREAKS_RULES: "Gói tin trái quy định của edXML hoặc QĐ 28/2018. Hãy sửa theo các lỗi nêu ra rồi gửi lại.",
    Reason.EXPIRED_UNCONFIRMED: "Quá hạn, nút nhận chưa xác nhận có nhận hay không; nút vẫn đang hỏi. Hãy hỏi nơi nhận trước khi gửi lại.",
    Reason.CREDENTIAL_MISSING: "Chưa trình thông tin xác thực. Hãy chỉ tệp hệ thống bằng --as hoặc biến TRUC_SYSTEM.",
    Reason.CREDENTIAL_WRONG: "Thông tin xác thực không đúng hoặc đã bị thu hồi. Hãy xin cấp lại bằng 'truc system add'.",
    Reason.UNIT_NOT_OWNED: "Hệ thống này không được giao đơn vị đó. Hãy đề nghị quản trị nút bổ sung đơn vị cho hệ thống.",
    Reason.PEER_UNKNOWN: "Chứng thư TLS không có trong danh bạ. Hãy kiểm tra danh bạ đã mới nhất và chứng thư đúng nút.",
    Reason.PEER_SPEAKS_FOR_OTHERS: "Nút gọi nói thay cho đơn vị hoặc nút không thuộc mình. Hãy kiểm tra tiền tố được giao.",
    Reason.RECEIPT_INVALID: "Biên nhận giả, bị sửa hoặc không đúng gói tin. Hãy báo quản trị nút bạn và đơn vị vận hành danh bạ.",
    Reason.ENVELOPE_SIGNATURE_INVALID: "Chữ ký phong bì không đúng với khóa của nút gửi trong danh bạ.",
    Reason.ENVELOPE_MALFORMED: "Phong bì không đọc được hoặc mâu thuẫn. Hãy kiểm tra phiên bản phần mềm nút gửi.",
    Reason.BODY_DIGEST_DIFFERS: "Thân gói tin khác với phong bì. Nút gửi sẽ phải gửi lại.",
    Reason.BODY_UNREADABLE: "Không giải mã được thân gói tin bằng khóa kèm theo. Hãy kiểm tra khóa trong danh bạ.",
    Reason.ENVELOPE_CONFLICT: "Đã có phong bì khác mang cùng mã gói tin. Hãy báo quản trị nút gửi.",
    Reason.RELAY_NOT_ALLOWED: "Nút này không chuyển tiếp cho các nút đó.",
    Reason.ADMIN_ONLY: "Chỉ quản trị nút mới được làm việc này. Hãy chạy lệnh trên máy chủ của nút với --home.",
    Reason.PEER_UNREACHABLE: "Chưa kết nối được tới nút bạn; hệ thống tự thử lại. Nếu kéo dài, hãy kiểm tra mạng và tường lửa.",
    Reason.PEER_BUSY: "Nút bạn đang bận; hệ thống tự thử lại.",
    Reason.DISK_FULL: "Đĩa đã đầy. Hãy giải phóng dung lượng; nút tự nhận lại ngay khi có chỗ.",
    Reason.HELD: "Quản trị đang tạm giữ việc gửi tới nút này. Dùng 'truc peer release' để gửi tiếp.",
    Reason.NODE_FENCED: "Nút đang tự khóa vì kho dữ liệu có dấu hiệu bị lùi. Hãy xem 'truc doctor' trước khi mở lại.",
    Reason.WRONG_NODE: "Nút được hỏi không phục vụ đơn vị đó; danh bạ hai bên khác nhau, hệ thống sẽ cập nhật và thử lại.",
    Reason.IN_CUSTODY: "Nút chuyển tiếp đang giữ hộ; đang chờ biên nhận của chính nút nhận.",
    Reason.STORE_STALLED: "Kho dữ liệu đang bận ghi; hệ thống tự thử lại.",
    Reason.SHUTTING_DOWN: "Nút đang dừng; hãy thử lại sau khi nút khởi động.",
    Reason.NO_ROUTE: "Danh bạ hiện chưa có nút nào phục vụ tiền tố này; hệ thống sẽ gửi khi danh bạ có.",
    Reason.PEER_TLS_FAILED: "Bắt tay TLS với nút bạn không thành: chứng thư lạ, hết hạn hoặc đã đổi. Hãy cập nhật danh bạ hai bên.",
    Reason.LEASED: "Một phiên khác của phần mềm đang lấy gói tin này; hãy chờ hết hạn giữ.",
    Reason.QUEUED: "Đang chờ tới lượt gửi.",
    Reason.DIRECTORY_EMPTY: "Nút chưa có danh bạ. Hãy chạy 'truc node join'.",
    Reason.DIRECTORY_STALE: "Danh bạ đã hơn một ngày chưa được ký mới. Văn bản vẫn đi; hãy báo đơn vị vận hành danh bạ.",
    Reason.DIRECTORY_OLDER: "Danh bạ của nút nhận cũ hơn danh bạ của nút gửi; nút nhận đang lấy bản mới, hệ thống tự thử lại.",
    Reason.UNIT_NOT_YET: "Đơn vị nhận chưa tới ngày hoạt động ghi trong danh bạ; hệ thống giao khi đơn vị bắt đầu.",
    Reason.CLOCK_UNSURE: "Đồng hồ của nút lệch với các nút khác hoặc vừa nhảy. Hãy kiểm tra NTP (chrony); nút tự đi tiếp khi giờ đúng.",
    Reason.FAILED_INSIDE: "Chương trình của nút xử lý gặp lỗi với riêng gói này; hệ thống tự thử lại. Nếu kéo dài, hãy xem nhật ký nút đó.",
    Reason.FORMER_NODE_ASKED: "Đơn vị nhận đã chuyển nút mà gói tin có thể đã tới nút cũ; đang hỏi nút cũ trước khi gửi tới nút mới.",
    Reason.HOOK_UNREACHABLE: "Địa chỉ nhận báo tin của hệ thống không trả lời; nút tự thử lại. Hãy kiểm tra địa chỉ, mạng và tường lửa.",
    Reason.HOOK_TLS_FAILED: "Bắt tay TLS với địa chỉ nhận báo tin không thành. Hãy kiểm tra chứng thư của nó, hoặc ghi tệp CA bằng --ca.",
    Reason.HOOK_REFUSED: "Địa chỉ nhận báo tin không trả lời 2xx. Hãy kiểm tra phần mềm nhận; nút tự thử lại.",
    Reason.SETTINGS_INVALID: "Tệp cấu hình có lỗi. Hãy sửa các mục được nêu trong node.toml.",
    Reason.KEY_FILE_MISSING: "Thiếu tệp khóa. Hãy khôi phục thư mục keys từ bản sao lưu.",
    Reason.KEY_FILE_EXPOSED: "Người khác đọc được tệp khóa riêng. Hãy chạy chmod 600 cho tệp đó.",
    Reason.HOME_IN_USE: "Thư mục dữ liệu đang được một tiến trình truc khác dùng. Hãy dừng tiến trình kia trước.",
    Reason.PORT_IN_USE: "Cổng đã có chương trình khác dùng. Hãy đổi cổng trong node.toml hoặc dừng chương trình kia.",
    Reason.STORE_CORRUPT: "Tệp của kho dữ liệu bị hỏng. Đừng xóa gì. Hãy xem truc store salvage --dry-run, hoặc khôi phục bản sao lưu.",
    Reason.STORE_ROLLED_BACK: "Kho dữ liệu cũ hơn nhân chứng, nút chỉ đọc: mất giao dịch đã xác nhận. Hãy xem truc node accept-rollback.",
    Reason.DIRECTORY_ROLLED_BACK: "Danh bạ nhận được cũ hơn bản đang tin. Bản cũ bị từ chối; hãy báo đơn vị vận hành danh bạ.",
    Reason.DIRECTORY_INVALID: "Danh bạ sai chữ ký, sai cấu trúc hoặc sai tiền tố. Bản đang dùng được giữ nguyên.",
    Reason.STORE_NEWER: "Kho dữ liệu do phiên bản truc mới hơn ghi. Hãy cài lại phiên bản đó.",
    Reason.KEY_UNUSABLE: "Khóa riêng không dùng được: sai mật khẩu hoặc sai loại khóa.",
    Reason.HOME_MISSING: "Thư mục này chưa có nút. Hãy chạy 'truc node create' trước.",
    Reason.CERTIFICATE_EXPIRED: "Chứng thư TLS của nút đã hết hạn. Hãy chạy truc node certificate và công bố lại danh bạ.",
    Reason.ALREADY_EXISTS: "Tệp hoặc thư mục đã tồn tại; truc không ghi đè. Hãy chọn tên khác.",
    Reason.IO_FAILED: "Đĩa hoặc mạng báo lỗi. Hãy kiểm tra phần cứng và nhật ký hệ thống.",
    Reason.QUARANTINED: "Nút gửi giữ lại vì lỗi khi xử lý. Quản trị nút hãy xem 'truc outbox --quarantine'.",
    Reason.DISK_READ_ONLY: "Đĩa chỉ đọc, nút không ghi được. Hãy xem dmesg và fsck, rồi gắn lại: mount -o remount,rw.",
}
