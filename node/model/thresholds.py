"""Thresholds: from where on something about a node is a finding. One place, for health, doctor and whatever else looks at it.

The alert rules in deploy/watch/ say the disk's and the certificate's figures in their own language; a test holds them against these.
"""

from node.model.policy import DAY_MS, MIB, MINUTE_MS

DISK_FREE_BYTES_MIN = 1024 * MIB
"""Less free space than this is a warning."""
DISK_FREE_BYTES_GRAVE = 100 * MIB
"""Less than this cannot go on for long."""
INODES_FREE_SHARE_MIN = 0.05
CERTIFICATE_WARNING_MS = 30 * DAY_MS
"""A certificate that ends sooner is a warning: time enough to publish a new one everywhere."""
ZONE_WARNING_MS = 60 * DAY_MS
"""The same for the signature of a zone, which people renew by hand."""
CLOCK_SKEW_MS_MAX = 5 * MINUTE_MS
"""Two clocks that differ by more are not both kept right."""
PEER_SILENT_AFTER_MS = 10 * MINUTE_MS
"""A peer that greets every minute and was not heard for so long does not reach us."""
WEBHOOK_FAILING_AFTER_MS = 10 * MINUTE_MS
"""A webhook that has failed for so long is not just being restarted."""
