"""Check-up of the certificates in the directory: each bad one costs its owner, and us that one peer."""

from collections.abc import Iterator

from node.errors import Fault
from node.model.directory import Directory
from node.ops.doctor.check import Check, from_fault, warning, wrong

NAMED_MAX = 5


def check_certificates(directory: Directory, own_id: str) -> Iterator[Check]:
    """Let gRPC's own TLS try all certificates of the directory in force, as the start does."""
    from node.directory.trust.unusable import unusable_findings
    from node.net.tls_trial import tls_trial

    try:
        faults = tls_trial().faults(directory.certificates)
    except Fault as fault:
        yield from_fault("directory", fault)
        return
    for finding in unusable_findings(directory, faults, own_id):
        said = "chứng thư trong danh bạ không dùng được"
        yield (wrong if finding.grave else warning)("directory", said, finding.advice)
    named = {directory.certificates[der] for der in faults} - {own_id}
    lost = sorted(node_id for node_id in named if faults.keys() >= set(directory.certificates_of(node_id)))
    if lost:
        said = f"mất {len(lost)}/{len(directory.nodes)} nút vì chứng thư hỏng: {', '.join(lost[:NAMED_MAX])}"
        yield warning("peers", said, "Hãy báo quản trị các nút đó chạy truc node certificate rồi công bố lại vùng.")
