"""The settings' words for people, in Vietnamese: the example file, and sentences about mistakes. Read by node/config/settings.py."""

WRONG: dict[str, str] = {
    "missing": "thiếu mục này",
    "greater_than_equal": "nhỏ quá, ít nhất là {ge}",
    "less_than_equal": "lớn quá, nhiều nhất là {le}",
    "int_type": "phải là số nguyên",
    "int_parsing": "phải là số nguyên",
    "int_from_float": "phải là số nguyên",
    "bool_type": "phải là true hoặc false",
    "bool_parsing": "phải là true hoặc false",
    "string_type": "phải là chuỗi ký tự trong dấu nháy",
    "string_too_short": "không được để trống",
    "string_too_long": "dài quá, nhiều nhất {max_length} ký tự",
    "string_pattern_mismatch": "chỉ gồm chữ thường a-z, số và dấu gạch nối, 1 đến 64 ký tự",
    "path_type": "phải là đường dẫn tới tệp hoặc thư mục",
    "literal_error": "phải là một trong: {expected}",
    "model_type": "phải là một nhóm mục",
    "tuple_type": "phải là danh sách trong dấu ngoặc vuông",
    "value_error": "{error}",
}
"""Sentences about what is wrong, by pydantic's type of error; filled in with that error's own limits."""

EXAMPLE = """\
# Cấu hình của một nút truc. Sửa xong, chạy 'truc doctor' để kiểm tra rồi khởi động lại nút.
# Mục nào có dấu # ở đầu dòng đang dùng giá trị mặc định, chính là giá trị ghi ở đó. Ghi sai tên mục, nút sẽ không chạy
# và nói rõ sai ở đâu. Biến môi trường được ưu tiên hơn tệp này: mesh.listen là TRUC_MESH__LISTEN.
# Không ghi mật khẩu hay khóa vào đây, chỉ ghi đường dẫn tới tệp. Đường dẫn tương đối tính từ thư mục chứa tệp này.

# Mã của nút trong danh bạ: chữ thường, số, dấu gạch nối. Đổi mã là thành nút khác.
node_id = {node_id}
# Tên cho người đọc.
name = {name}

# Các nút khác gọi tới nút này ở đây, luôn qua TLS hai chiều với chứng thư ghi trong danh bạ.
[mesh]
# Nghe ở địa chỉ nào: "0.0.0.0:7401" là mọi địa chỉ của máy, "127.0.0.1:7401" là chỉ trong máy này.
listen = {mesh_listen}
# Địa chỉ ghi vào danh bạ để nút khác gọi tới. Để trống nếu không ai gọi tới được: khi đó đi qua nút chuyển tiếp.
advertise = {mesh_advertise}

# Phần mềm quản lý văn bản và lệnh 'truc' gọi tới nút ở đây.
[office]
# Mặc định chỉ trong máy này. Mở ra mạng nội bộ được, vì ở đây TLS và thông tin xác thực luôn bật, không có cách nào tắt.
listen = {office_listen}

# Cầu VXP: phần mềm QLVB đang gọi trục liên thông quốc gia bằng bộ thư viện VXP gọi tới nút này, chỉ đổi endpoint, systemid, secret.
[vxp]
# Nghe ở địa chỉ nào; để trống là tắt. Endpoint của phần mềm khi đó là https://máy:cổng/vxp (http nếu không có certificate).
# listen = "127.0.0.1:{vxp_port}"
# Chứng thư (PEM, cả chuỗi) mà máy chạy phần mềm tin, và khóa của nó (chmod 600).
# certificate = "keys/vxp.crt"
# key = "keys/vxp.key"
# Không có TLS thì chỉ nghe được trong máy này. Muốn nghe ngoài máy mà không có TLS, phải chép đúng câu này:
# http_risk = {http_risk}

# Số liệu cho Prometheus (/metrics) và tình trạng nút (/health/live, /health/ready), chỉ đọc, qua HTTP. Xem deploy/watch.
[watch]
# Nghe ở địa chỉ nào; để trống là tắt.
# listen = "127.0.0.1:{watch_port}"
# Ở đây không có TLS và không hỏi ai là ai, nên chỉ nghe được trong máy này. Muốn nghe ngoài máy, phải chép đúng câu này:
# network_risk = {network_risk}

[directory]
# Thư mục (hoặc USB) có danh bạ mới do đơn vị vận hành công bố; bỏ trống thì lấy từ các nút khác.
# folder = "/srv/truc/danh-ba"
# Bao lâu tìm bản mới một lần, giây.
# refresh_s = 300

[relay]
# Giữ hộ và chuyển tiếp gói tin giữa các nút khác (danh bạ cũng phải cho nút này vai trò đó). Nút này không đọc được nội dung.
carry_for_others = {carry_for_others}

[limits]
# Gói tin lớn nhất được nhận, byte (mặc định 600 MiB). Gói lớn hơn bị từ chối ngay, chưa đọc.
# packet_bytes_max = {policy.packet_bytes_max:_}
# Số nơi nhận nhiều nhất của một gói tin.
# recipients_max = {policy.recipients_max:_}
# Đọc lại mọi nội dung để tìm chỗ hỏng thì đọc nhiều nhất ngần này byte mỗi giây (xem times.scrub_every_ms).
# scrub_bytes_per_s = {policy.scrub_bytes_per_s:_}
# Đĩa còn trống ít hơn ngần này byte thì nút thu dần: thôi nhận gói lớn mới; chỉ nhận gói nhỏ khẩn và trạng thái; chỉ nhận trạng thái.
# admit_large_bytes_min = {policy.admit_large_bytes_min:_}
# admit_all_bytes_min = {policy.admit_all_bytes_min:_}
# admit_urgent_bytes_min = {policy.admit_urgent_bytes_min:_}

[times]
# Quá hạn này (mili giây, mặc định 30 ngày) mà chưa giao được thì báo hỏng cho nơi gửi.
# expire_after_ms = {policy.expire_after_ms:_}
# Giữ nội dung bao lâu sau khi mọi nơi nhận đã xong (mặc định 30 ngày).
# keep_body_after_ms = {policy.keep_body_after_ms:_}
# Trong ngần này (mặc định 30 ngày) đọc lại và đối chiếu hết một lượt mọi nội dung đang giữ.
# scrub_every_ms = {policy.scrub_every_ms:_}
# Đường thẳng tới nút nhận hỏng bao lâu thì nhờ nút chuyển tiếp (mặc định 30 giây).
# relay_after_ms = {policy.relay_after_ms:_}
# Văn bản khẩn phải được đăng ký "ngay": trong bao lâu kể từ khi đến (mặc định 1 giờ). Chỉ để hiện quá hạn, không chặn việc gửi.
# urgent_within_ms = {policy.urgent_within_ms:_}
# Văn bản thu hồi, cập nhật đến trước văn bản gốc thì chờ bao lâu (mặc định 3 ngày) rồi vào hộp đến một mình.
# wait_for_document_ms = {policy.wait_for_document_ms:_}

[keep]
# Giữ bao nhiêu ngày những gì nút biết về một gói tin (tình trạng gửi, trạng thái xử lý, biên nhận, hồ sơ), tính từ việc cuối cùng với văn
# bản đó (mặc định 5 năm); hết hạn thì xóa hết. Gói chưa giao xong, chưa được nhận khỏi hộp đến hoặc đang giữ ('truc hold') thì không xóa.
# records_days = {keep_records_days}

[statuses]
# Nút tự báo trạng thái 01 (đã đến) khi văn bản vào hộp đến của đơn vị.
# arrival = true
# Những đơn vị mà phần mềm của họ tự báo 01 thì nút không báo thay.
# arrival_by_software = ["H49.22.05"]

[calendar]
# Bảng ngày nghỉ lễ, tết của riêng nút, để tính thời hạn; bỏ trống thì theo bản cài đặt. Xem 'truc calendar show'.
# file = "ngay-nghi.toml"

[keys]
# Tệp chứa mật khẩu mở khóa riêng của nút, chỉ chủ tệp đọc được (chmod 600). Bỏ trống nếu khóa không đặt mật khẩu.
# passphrase_file = "keys/passphrase"

[store]
# Thân gói tin tới cỡ này (byte) nằm ngay trong kho, lớn hơn thì thành tệp riêng.
# inline_body_bytes_max = {policy.inline_body_bytes_max:_}

[log]
# debug, info, warning hoặc error.
# level = "info"
# auto: JSON khi ghi ra tệp hoặc dịch vụ, có màu khi ở màn hình; json; console.
# format = "auto"
"""
"""The file that `truc node create` writes; a tutorial from top to bottom. Filled in by config.example_toml."""
