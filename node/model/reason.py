"""Reasons: every cause of a refusal or a delay, by its stable number.

The numbers are those of protos/truc/v1/reason.proto (a test compares them) and are never reused: they stand in receipts that
must still be understood in twenty years. node/errors.py tells people what each one means and what to do.
"""

from enum import IntEnum


class Reason(IntEnum):
    """Cause of a refusal, a delay or a fault; see reason.proto for one sentence on each."""

    NONE = 0
    # The author must change something.
    PACKET_NOT_XML = 1
    PACKET_HAS_DTD = 2
    PACKET_TRUNCATED = 3
    PACKET_WRONG_NAMESPACE = 4
    PACKET_NO_SENDER = 5
    PACKET_NO_RECIPIENT = 6
    PACKET_TOO_LARGE = 7
    CODE_MALFORMED = 8
    RECIPIENT_UNKNOWN = 9
    ID_REUSED = 10
    EXPIRED = 11
    REQUEST_INVALID = 12
    PACKET_TOO_COMPLEX = 13
    NOT_FOUND = 14
    SUBMISSION_INCOMPLETE = 15
    STATUS_MALFORMED = 16
    NOT_ALL_SERVED = 17
    PACKET_BREAKS_RULES = 18
    EXPIRED_UNCONFIRMED = 19
    # The caller's operator must act.
    CREDENTIAL_MISSING = 40
    CREDENTIAL_WRONG = 41
    UNIT_NOT_OWNED = 42
    PEER_UNKNOWN = 43
    PEER_SPEAKS_FOR_OTHERS = 44
    RECEIPT_INVALID = 45
    ENVELOPE_SIGNATURE_INVALID = 46
    ENVELOPE_MALFORMED = 47
    BODY_DIGEST_DIFFERS = 48
    BODY_UNREADABLE = 49
    ENVELOPE_CONFLICT = 50
    RELAY_NOT_ALLOWED = 51
    ADMIN_ONLY = 52
    # Nobody must act: time.
    PEER_UNREACHABLE = 70
    PEER_BUSY = 71
    DISK_FULL = 72
    HELD = 73
    NODE_FENCED = 74
    WRONG_NODE = 75
    IN_CUSTODY = 76
    STORE_STALLED = 77
    SHUTTING_DOWN = 78
    NO_ROUTE = 79
    PEER_TLS_FAILED = 80
    LEASED = 81
    QUEUED = 82
    DIRECTORY_EMPTY = 83
    DIRECTORY_STALE = 84
    DIRECTORY_OLDER = 85
    UNIT_NOT_YET = 86
    CLOCK_UNSURE = 87
    FAILED_INSIDE = 88
    FORMER_NODE_ASKED = 89
    HOOK_UNREACHABLE = 90
    HOOK_TLS_FAILED = 91
    HOOK_REFUSED = 92
    # This node's operator must act.
    SETTINGS_INVALID = 100
    KEY_FILE_MISSING = 101
    KEY_FILE_EXPOSED = 102
    HOME_IN_USE = 103
    PORT_IN_USE = 104
    STORE_CORRUPT = 105
    STORE_ROLLED_BACK = 106
    DIRECTORY_ROLLED_BACK = 107
    DIRECTORY_INVALID = 108
    STORE_NEWER = 109
    KEY_UNUSABLE = 110
    HOME_MISSING = 111
    CERTIFICATE_EXPIRED = 112
    ALREADY_EXISTS = 113
    IO_FAILED = 114
    QUARANTINED = 115
    DISK_READ_ONLY = 120
