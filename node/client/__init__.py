"""The client that software in an office is written with: `Office`, and `AsyncOffice` for programs that run on asyncio.

    import sys
    from pathlib import Path
    from node.client import Office

    with Office("qlvb.json") as office:  # the file that `truc system add` wrote
        for name in sys.argv[1:]:
            sent = office.submit(Path(name))  # durable at the node; the same file again is harmless
            print(name, sent.packet_id.hex(), sent.recipients_served)
        for entry in office.inbox():  # the most urgent first; pages are fetched as needed
            path = Path(f"{entry.packet_id.hex()}-{entry.unit}.edxml")
            if not path.exists():  # there is never half a file
                office.fetch_to(entry.packet_id, path, entry.unit)
            if not entry.status_code:  # a document, not a status about one of ours
                office.send_status(entry.packet_id, "03", unit=entry.unit)
            office.acknowledge(entry.packet_id, entry.unit)  # only now does it leave the inbox

A document that was sent is taken back, mended or replaced by `withdraw`, `update` and `replace` (node/office/changes.py): named by its
packet id or its packet file, and the same request again is the same request.

    asynchronous.py   AsyncOffice      content.py     what is handed in, with its submission id    patience.py   trying again
    synchronous.py    Office           reporting.py   a status about a document

It is thin: every call is one of node/net/client.py's. It adds patience (patience.py): what the node or the road cannot do just now
(Deferred) is tried again, which is safe because the submission id is chosen before the first try (content.py), and whatever cannot be done
is raised, as a fault of node.errors: also a packet that the node refuses, so that nobody can overlook it.
"""

from node.access.credential import Credential
from node.client.asynchronous import AsyncOffice
from node.client.patience import Patience
from node.client.synchronous import Office
from node.errors import Broken, Deferred, Denied, Fault, Rejected
from node.model.finding import Finding, RulesBroken
from node.model.life import Dossier
from node.model.office import FoundUnit, InboxEntry, SubmitResult, TrackView
from node.model.reason import Reason
from node.net.client_fetch import Fetched

__all__ = [
    "AsyncOffice",
    "Broken",
    "Credential",
    "Deferred",
    "Denied",
    "Dossier",
    "Fault",
    "Fetched",
    "Finding",
    "FoundUnit",
    "InboxEntry",
    "Office",
    "Patience",
    "Reason",
    "Rejected",
    "RulesBroken",
    "SubmitResult",
    "TrackView",
]
