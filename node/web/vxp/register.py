"""Register: registerAgency and deleteAgency, by which a system looks after the units under its own.

A system may register a unit under one of its units, unless the unit stands under another system's (the longest code decides, as it
does among nodes). It then speaks for it, and the unit is in the node's own zone. Other nodes learn of it when the operator has
published the zone (`truc unit publish`): the bridge may not use the zone's key, nor speak to the authority, so the answer says what is
still to be done. deleteAgency closes a unit; nothing is ever removed.

Neither is done unless the operator has opened registrations for the system, for a time (`truc system registrations`): a header that was
signed for anything at all can be sent again with another body. While they are closed an order that changes nothing is answered as
ever, since programs register the units that they know whenever they start.

The library signs neither the body of registerAgency nor a nonce. So both operations are refused over a line on which others can write,
and an order that was carried out before is not carried out again: a repeat succeeds only if the unit is still as the order left it.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from node.access.systems import Systems
from node.directory.zone.zone import ZoneEditor
from node.directory.zone.zone_lock import editing
from node.errors import Broken, Denied, Rejected
from node.flow.inbox.vxp_inbox import VxpInbox
from node.log import get_logger
from node.model.code import Code, parse_code
from node.model.directory import Unit
from node.model.office import System
from node.model.reason import Reason
from node.web.vxp.answer import success
from node.web.vxp.signature import Signed

BODY_BYTES_MAX = 64 * 1024
WAITS_FOR_OPERATOR = (
    "Success. Đã ghi vào vùng của nút; các nút khác sẽ thấy khi quản trị nút công bố ('truc unit publish')."
)

log = get_logger()


@dataclass(frozen=True, slots=True)
class Agency:
    """The unit that registerAgency asks for."""

    code: Code
    name: str
    parent: str
    mail: str = ""


class Registrar:
    """Changes the node's own zone in a system's name, one order at a time; the operator's command is kept out meanwhile."""

    def __init__(self, zone: Path, systems: Systems, now_ms: Callable[[], int]) -> None:
        self._zone = zone
        self._systems = systems
        self._now_ms = now_ms
        self._turn = asyncio.Lock()

    async def unit(self, code: Code) -> Unit | None:
        """Return a unit of the zone as it is now, or None."""
        async with self._turn:
            return await asyncio.to_thread(lambda: ZoneEditor.open(self._zone).unit(code))

    async def register(self, system: System, agency: Agency) -> None:
        """Add a unit to the zone, or change its name and parent, open it if it was closed, and let the system speak for it.

        Raises Denied(UNIT_NOT_OWNED), also while registrations are closed, and as ZoneEditor.add_unit.
        """
        async with self._turn:
            self._check(system, agency.code)
            if await asyncio.to_thread(self._is_so, agency):
                return
            self._require_open(system)
            try:
                await asyncio.to_thread(self._add, agency)
            except Broken as broken:
                # The zone's rules speak of files; here it is the caller's order that breaks them, and trying again is no use.
                if broken.reason is not Reason.DIRECTORY_INVALID:
                    raise
                raise Rejected(Reason.REQUEST_INVALID, broken.detail) from broken
            await asyncio.to_thread(self._systems.add_unit, system.name, agency.code.text)
        log.info("unit.registered", system=system.name, unit=agency.code.text)

    async def close(self, system: System, code: Code) -> None:
        """Close a unit of the system's from now on. Raises Denied(UNIT_NOT_OWNED), Rejected(RECIPIENT_UNKNOWN)."""
        async with self._turn:
            self._check(system, code)
            self._require_open(system)
            await asyncio.to_thread(self._close, code)
        log.info("unit.closed", system=system.name, unit=code.text)

    def _check(self, system: System, code: Code) -> None:
        # The longest code that covers the unit, over all systems, tells whose it is.
        covering = [
            (len(unit.labels), record.system.name)
            for record in self._systems.list()
            for unit in map(parse_code, record.system.units)
            if code.is_under(unit)
        ]
        longest = max((length for length, _ in covering), default=0)
        if (longest, system.name) not in covering:
            raise Denied(Reason.UNIT_NOT_OWNED, f"unit {code} is under none of the units of system {system.name}")

    def _require_open(self, system: System) -> None:
        until_ms = next(
            (one.registrations_until_ms for one in self._systems.list() if one.system.name == system.name), 0
        )
        if self._now_ms() >= until_ms:
            log.warning("registration.refused", system=system.name)
            raise Denied(
                Reason.UNIT_NOT_OWNED,
                f"registering is closed; the operator opens it for a time: truc system registrations {system.name} --for 2",
            )

    def _is_so(self, agency: Agency) -> bool:
        known = ZoneEditor.open(self._zone).unit(agency.code)
        if known is None or known.valid_to_ms:
            return False
        return known.name == agency.name and agency.parent in ("", known.parent) and agency.mail in ("", known.mail)

    def _add(self, agency: Agency) -> None:
        with editing(self._zone) as zone:
            known = zone.unit(agency.code)
            if known is None:
                zone.add_unit(Unit(agency.code.text, agency.name, (), agency.parent, mail=agency.mail))
            else:
                parent, mail = agency.parent or known.parent, agency.mail or known.mail
                again = replace(known, name=agency.name, parent=parent, mail=mail, valid_to_ms=0, successor="")
                zone.add_unit(again, reopen=True)

    def _close(self, code: Code) -> None:
        with editing(self._zone) as zone:
            known = zone.unit(code)
            if known is None or not known.valid_to_ms:
                zone.close_unit(code, self._now_ms())


async def register_agency(vxp_inbox: VxpInbox, registrar: Registrar, signed: Signed, body: bytes) -> bytes:
    """Carry out registerAgency. `body` is the JSON that the library sends unsigned."""
    agency = _agency(body)
    order = _order(signed, b"register", body)
    if not await vxp_inbox.was_carried_out(signed.system, order):
        await registrar.register(signed.system, agency)
        await vxp_inbox.note_carried_out(signed.system, order)
    else:
        known = await registrar.unit(agency.code)
        _require_so(known is not None and not known.valid_to_ms)
    return success(WAITS_FOR_OPERATOR)


async def delete_agency(vxp_inbox: VxpInbox, registrar: Registrar, signed: Signed) -> bytes:
    """Carry out deleteAgency."""
    code = parse_code(signed.required("AgencyCode", "agencyCode"))
    order = _order(signed, b"delete", b"")
    if not await vxp_inbox.was_carried_out(signed.system, order):
        await registrar.close(signed.system, code)
        await vxp_inbox.note_carried_out(signed.system, order)
    else:
        known = await registrar.unit(code)
        _require_so(known is not None and bool(known.valid_to_ms))
    return success(WAITS_FOR_OPERATOR)


def _order(signed: Signed, what: bytes, body: bytes) -> bytes:
    return hashlib.sha256(what + b"\0" + signed.signature.encode() + hashlib.sha256(body).digest()).digest()


def _require_so(is_so: bool) -> None:
    if not is_so:
        raise Rejected(
            Reason.REQUEST_INVALID, "this very order was carried out before and is not carried out again; sign it anew"
        )


def _agency(body: bytes) -> Agency:
    """Read {"pcode", "code", "name", …}. Raises Rejected(REQUEST_INVALID), Rejected(CODE_MALFORMED)."""
    try:
        fields = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.REQUEST_INVALID, "the body is not JSON in UTF-8") from error
    if not isinstance(fields, dict):
        raise Rejected(Reason.REQUEST_INVALID, "the body is not a JSON object")
    code, name, parent, mail = (_text(fields, key) for key in ("code", "name", "pcode", "mail"))
    if not code or not name:
        raise Rejected(Reason.REQUEST_INVALID, "code and name are needed")
    return Agency(parse_code(code), name, parse_code(parent).text if parent else "", mail)


def _text(fields: dict[str, object], key: str) -> str:
    value = fields.get(key)
    return value.strip() if isinstance(value, str) else ""
