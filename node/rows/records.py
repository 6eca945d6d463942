"""Records that a node writes down, as messages of `protos/truc/store/v1/records.proto`.

Stored records are protobuf messages of their own, not the wire's, for two reasons. A row written today must be readable by the
program of ten years from now and (after a failed upgrade) by the program of last week: unknown fields survive, absent ones have a
meaning. And the wire may change its shape without every stored row being rewritten. Hence the one rule: records only grow. A field
is never renumbered, retyped or reused; a field no longer wanted is reserved.
"""

from node.wire.truc.store.v1.records_pb2 import (
    AdoptedEnvelope,
    ArrivingRecord,
    BridgeOrderRecord,
    DeliveryRecord,
    DocketRecord,
    DossierRecord,
    DutyRecord,
    HeaderRecord,
    HoldRecord,
    HookedRecord,
    HookRecord,
    InboxRecord,
    NoticeRecord,
    OutboxRecord,
    PacketRecord,
    PeerRecord,
    QuarantineRecord,
    StatusRecord,
    SubmissionRecord,
    UploadRecord,
)

__all__ = [
    "AdoptedEnvelope",
    "ArrivingRecord",
    "BridgeOrderRecord",
    "DeliveryRecord",
    "DocketRecord",
    "DossierRecord",
    "DutyRecord",
    "HeaderRecord",
    "HoldRecord",
    "HookRecord",
    "HookedRecord",
    "InboxRecord",
    "NoticeRecord",
    "OutboxRecord",
    "PacketRecord",
    "PeerRecord",
    "QuarantineRecord",
    "StatusRecord",
    "SubmissionRecord",
    "UploadRecord",
]
