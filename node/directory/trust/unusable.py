"""Certificates of the directory in force that cannot be used, in words for operators: whom each costs, and who mends it."""

from collections.abc import Mapping

from node.errors import HealthFinding
from node.model.directory import Directory
from node.model.reason import Reason


def unusable_findings(directory: Directory, faults: Mapping[bytes, str], own_id: str) -> list[HealthFinding]:
    """Return a finding for each bad certificate, told by its fault; grave only if no certificate is left to this node."""
    return [
        _finding(directory, der, fault, faults, own_id)
        for der, fault in faults.items()
        if der in directory.certificates
    ]


def _finding(directory: Directory, der: bytes, fault: str, faults: Mapping[bytes, str], own_id: str) -> HealthFinding:
    node_id = directory.certificates[der]
    left = [one for one in directory.certificates_of(node_id) if one not in faults]
    said = f"Một chứng thư TLS của nút {node_id} trong danh bạ không dùng được ({fault}) nên bị bỏ ra ngoài. "
    if node_id == own_id:
        mend = "Hãy chạy truc node certificate ở nút này rồi truc unit publish và gửi vùng cho đơn vị vận hành danh bạ."
    elif left:
        mend = f"Nút {node_id} vẫn gọi được bằng chứng thư khác; hãy báo quản trị nút đó."
    else:
        lost = f"Mất 1 nút bạn: {node_id} không gọi được và không được gọi; các nút khác không sao."
        mend = f"{lost} Hãy báo quản trị nút đó chạy truc node certificate."
    return HealthFinding(Reason.DIRECTORY_INVALID, said + mend, grave=node_id == own_id and not left)
