"""Send: sendEdoc hands in a document or a status packet.

The Java runtime repeats a POST by itself when a connection dies, so the same signed request may come twice; the packet is stored
once and the first DocId given again. The submission's id is the request's own signature, which covers the digest of the file.
The packet itself names its recipients: the `to` field, which sticks from call to call, is not asked. If one of them cannot be served,
the packet is refused as a whole, for the library cannot show that only some were refused.
"""

import hashlib

from node.errors import Denied, Fault, Rejected
from node.flow.inbox.vxp_inbox import uuid_of
from node.flow.submit.check import Unserved
from node.model.code import parse_code
from node.model.directory import Directory
from node.model.office import Submission, System
from node.model.reason import Reason
from node.web.body import Body
from node.web.vxp.answer import NO_RECIPIENT, RECIPIENT_CLOSED, code_of, refusal_of, success
from node.web.vxp.context import BridgeContext
from node.web.vxp.edocfile import EdocFile
from node.web.vxp.signature import Signed


async def send_edoc(context: BridgeContext, signed: Signed, body: Body) -> bytes:
    """Take a packet; return the answer with its DocId. Raises what Node.submit raises."""
    _check_sender(context, signed)
    file = EdocFile(body.pieces(), signed.required("hash-file"))
    submission = Submission(submission_id_of(signed), all_or_nothing=True)
    try:
        result = await context.node.submit(signed.system, submission, file.octets())
    except Unserved as fault:
        return refusal_of(fault, _code_for(fault, context.directory()))
    if result.reason is not Reason.NONE:
        raise Rejected(result.reason, result.detail)
    return success(DocId=uuid_of(result.packet_id))


def submission_id_of(signed: Signed) -> str:
    """Return the id under which a signed request is stored once."""
    return "vxp-" + hashlib.sha256(signed.signature.encode()).hexdigest()


def _check_sender(context: BridgeContext, signed: Signed) -> None:
    """Raise Denied(UNIT_NOT_OWNED) if `from` is another system's unit.

    It may be the system's id, too, which some programs always send; the packet's own From decides.
    """
    sender = signed.argument("from")
    if not sender or sender == signed.system.name:
        return
    if not speaks_for(signed.system, sender, context.directory(), context.now_ms()):
        raise Denied(Reason.UNIT_NOT_OWNED, f"system {signed.system.name} does not speak for {sender[:60]}")


def speaks_for(system: System, written: str, directory: Directory, now_ms: int) -> bool:
    """Tell whether a code, in either form, is one of the system's units or an alias of one."""
    try:
        return directory.resolve(parse_code(written), now_ms).text in system.units
    except Fault:
        return False


def _code_for(fault: Unserved, directory: Directory) -> str:
    """Return 23 if every recipient that cannot be served is known but closed (or no alias any more), else 18; 22 if it names none."""
    if not fault.refused:
        return code_of(fault.reason)
    return RECIPIENT_CLOSED if all(_is_known(one.code, directory) for one in fault.refused) else NO_RECIPIENT


def _is_known(written: str, directory: Directory) -> bool:
    try:
        code = parse_code(written)
        return directory.unit(code) is not None or directory.alias(code) is not None
    except Fault:
        return False
