"""Check-up of the directory that a node trusts: how old it is, whether it names the node, and whether it says what the node is.

A node that the directory describes wrongly is refused by others, who go by the directory alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.errors import Fault
from node.model.directory import NodeEntry, Role
from node.ops.doctor.certificates import check_certificates
from node.ops.doctor.check import Check, fine, from_fault, warning, wrong
from node.ops.doctor.keys import check_key_times
from node.ops.doctor.patient import Patient
from node.ops.home import passphrase_of
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.config.settings import Settings


def check_directory(patient: Patient) -> Iterator[Check]:
    """Look at the directory that the node trusts, and at what it says of the node itself."""
    from node.directory.trust.freshness import age_findings, age_in_words, directory_age_ms
    from node.directory.trust.trust import TrustedFolder

    trusted = TrustedFolder(patient.place.directory)
    try:
        patient.directory = directory = trusted.load()
    except Fault as fault:
        yield from_fault("directory", fault)
        return
    if not directory.version:
        yield wrong("directory", "nút chưa có danh bạ", f"Hãy chạy: truc node join {patient.place.path} THƯ-MỤC-PUBLIC")
        yield wrong(
            "admission", "chưa được kết nạp", f"Hãy gửi {patient.place.join_request} cho cơ quan vận hành danh bạ."
        )
        return
    age = age_in_words(directory_age_ms(directory, patient.now_ms))
    said = f"phiên bản {directory.version}, ký {age} trước, {len(directory.nodes)} nút"
    old = [warning("directory", said, finding.advice) for finding in age_findings(directory, patient.now_ms)]
    yield from old or [fine("directory", said)]
    for finding in trusted.findings:
        yield warning("directory", "một phần danh bạ không được tin", finding.advice)
    yield from check_certificates(directory, patient.settings.node_id if patient.settings else "")
    yield from _admission(patient)


def _admission(patient: Patient) -> Iterator[Check]:
    settings, directory = patient.settings, patient.directory
    if settings is None:
        return
    entry = directory.nodes.get(settings.node_id)
    if entry is None:
        yield wrong(
            "admission",
            f"chưa được kết nạp: danh bạ không có nút {settings.node_id}",
            f"Hãy gửi {patient.place.join_request} cho cơ quan vận hành danh bạ; được công bố rồi thì cập nhật danh bạ.",
        )
        return
    prefixes = ", ".join(map(str, directory.prefixes_of(settings.node_id)))
    leaves = len(directory.leaves_of(settings.node_id))
    also = f", và {vietnamese.count(leaves)} mã riêng" if leaves else ""
    yield fine("admission", (f"phục vụ tiền tố {prefixes}" if prefixes else "đã kết nạp, không có tiền tố nào") + also)
    yield from _entry(patient, settings, entry)


def _entry(patient: Patient, settings: "Settings", entry: NodeEntry) -> Iterator[Check]:
    """Compare what the directory tells others about us with what we are."""
    publish = f"Hãy công bố lại: truc unit publish {patient.place.path}"
    yield from check_key_times(patient.place, settings, entry, patient.now_ms)
    differing = _differs_in_tls(patient, settings, entry)
    if differing:
        said = "danh bạ ghi chứng thư TLS khác với thư mục keys: các nút khác sẽ từ chối nút này"
        yield wrong("entry", said, publish)
    if entry.mesh_address != settings.mesh.advertise:
        said = f"danh bạ ghi {entry.mesh_address or 'không gọi được'}, node.toml ghi {settings.mesh.advertise or 'để trống'}"
        yield warning("entry", said, publish)
    elif not differing:
        yield fine("entry", f"chứng thư và địa chỉ {entry.mesh_address or '(không ai gọi tới)'} đều khớp")
    if settings.relay.carry_for_others and Role.RELAY not in entry.roles:
        advice = "Hãy đề nghị cơ quan vận hành danh bạ giao vai trò relay, hoặc đặt carry_for_others = false."
        yield warning("entry", "node.toml nhận chuyển tiếp, danh bạ không giao vai trò đó", advice)


def _differs_in_tls(patient: Patient, settings: "Settings", entry: NodeEntry) -> bool:
    from node.seal.tls import load_tls

    try:
        certificate = load_tls(patient.place.keys, passphrase_of(settings)).certificate_der
    except Fault:
        return False  # told under "keys"
    return certificate not in entry.tls_certificates
