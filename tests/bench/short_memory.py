"""A node of which nothing but the times of keeping is other than usual: settings do not let them be as short as a bench needs.

`python -m tests.bench.short_memory serve HOME`; TRUC_BENCH_KEEP_MS says for how long what is known of a packet is kept.
"""

import os
import sys
from dataclasses import replace

from node.config.settings import Settings
from node.model.policy import Policy

KEEP = "TRUC_BENCH_KEEP_MS"


def shortened(policy: Policy, keep_ms: int) -> Policy:
    """Return a policy with which a packet is forgotten after `keep_ms`, and other times in proportion."""
    return replace(
        policy,
        expire_after_ms=keep_ms // 2,
        keep_body_after_ms=keep_ms // 4,
        keep_records_ms=keep_ms,
        keep_memory_ms=keep_ms // 2,
        sweep_every_ms=min(policy.sweep_every_ms, max(1_000, keep_ms // 60)),
    )


def main() -> int:
    """Run a `truc` command."""
    from node.cli.main import run

    keep_ms, usual = int(os.environ.pop(KEEP)), Settings.policy
    Settings.policy = lambda self: shortened(usual(self), keep_ms)  # type: ignore[method-assign]
    return run()


if __name__ == "__main__":
    sys.exit(main())
