"""Receipts in an archive: the exact octets that were signed, and beside them what they say.

A node signs one receipt for all units that it serves, so several deliveries may share one; it stands in the archive once.
"""

import json
from collections.abc import Iterable

from node.archive.sink import Sink
from node.model.receipt import SignedReceipt
from node.office.naming import safe_file_name
from node.wire.receipt import decode_receipt, signed_receipt_to_bytes
from node.wording.plain import receipt as in_words

FOLDER = "bien-nhan"


class ReceiptFiles:
    """Writes receipts into a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def add(self, label: str, signed: Iterable[SignedReceipt]) -> tuple[str, ...]:
        """Write a packet's receipts; return their names without endings. Raises Denied(RECEIPT_INVALID) if one cannot be read."""
        names: dict[bytes, str] = {}
        for one in dict.fromkeys(signed):
            octets = signed_receipt_to_bytes(one)
            if octets in names:
                continue
            said = decode_receipt(one.receipt)
            name = f"{FOLDER}/{label}-{len(names) + 1}-{safe_file_name(said.signer_node)}-{said.level.name.lower()}"
            self._sink.add(f"{name}.bin", [octets])
            self._sink.add_text(f"{name}.json", json.dumps(in_words(one), ensure_ascii=False, indent=2) + "\n")
            names[octets] = name
        return tuple(names.values())
