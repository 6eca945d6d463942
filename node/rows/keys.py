"""Keys of the store, all made here, in document_keys.py and webhook_keys.py. Big-endian, so that order of bytes is order of meaning.

    octet  table        key after the octet                       value (protos/truc/store/v1/records.proto)
    -----  -----------  ----------------------------------------  ------------------------------------------------
      a    hook due     ms (8) system                             ""                      that system has to be told of something at ms
      b    body         body sha256 (32)                          the body itself, up to 64 KiB; kept in blob files
      c    number       unit 0x00 sha256(number, notation, year)  sha256(DocumentId)      whose number it is, at the author's node
      d    delivery     packet_id (16) unit                       DeliveryRecord          at the origin
      e    hook         system                                    HookRecord              how the telling of a system goes
                        system 0x00 number (8)                    NoticeRecord            events to tell it of, in order
                        0x00 unit                                 HookedRecord            who is told of what reaches that inbox
      f    body ref     body sha256 (32) packet_id (16)           ""                      that packet needs that body
      g    sent         system 0x00 ~ms (8) packet_id             ""                      what a system has submitted, the newest first
      h    held         ms (8) packet_id                          ""                      waits for its document, at most until ms
      i    inbox        unit 0x00 lane (1) ms (8) packet_id       ""                      waits for the unit, in order of urgency
      n    inbox entry  packet_id unit                            InboxRecord             stays after the acknowledgement
      j    bridge order system 0x00 sha256 of the order (32)      BridgeOrderRecord       what the bridge has done about a unit, once
      k    packet       packet_id                                 PacketRecord
      l    later        node 0x00 ms (8) outbox key tail          OutboxRecord            due at ms, then moved to `o`
      m    meta         name                                      schema, node id, commit number …
      o    outbox       node 0x00 lane (1) ms (8) packet_id kind  OutboxRecord            ready to be sent to that node
      p    peer         node                                      PeerRecord
      q    outbox index packet_id node 0x00 kind                  key of the row in `o` or `l`
      Q    quarantine   sha256 of the row's key, 8 of it          QuarantineRecord        a row of any table that cannot be handled
      r    receipt      packet_id level (1) node                  SignedReceipt           ours and theirs
      s    submission   system 0x00 submission id                 SubmissionRecord
      t    status       packet_id unit 0x00 ms (8) packet_id      StatusRecord            history, append only
      u    upload       token (16)                                UploadRecord
      v    docket       packet_id unit                            DocketRecord            what the unit's software said of it by the bridge
      w    duty         ms (8) packet_id code unit                DutyRecord              statuses owed in a unit's name, by when due;
                                                                                          of a 15 the packet answered
      x    document     unit 0x00 sha256(DocumentId) (32)         packet_id               newest packet that brought that document
      y    dossier      unit 0x00 author 0x00 sha256(DocumentId)  DossierRecord           head: when the last act was signed
                        … party 0x00 packet_id                    DossierRecord           packet about that document that the unit knows
      A    arriving     packet_id                                 ArrivingRecord          goes on arriving at its units, slice by slice
      z    due          ms (8) kind (1) packet_id                 "" or failures (2)      expiry, forgetting, erasing, in order of time
      H    legal hold   packet_id                                 HoldRecord              nothing of that packet is forgotten

Units, nodes and systems hold no 0x00 octet (codes and ids are checked where they enter), so it ends them. A dossier row with a party
concerns that recipient alone (its statuses, what a packet does to it and nobody else); with "" it concerns all that get the packet.
"""

import struct

BODY = b"b"
"""Rows of this table may be large; engines may keep them apart."""

BODY_REFS, PACKETS = b"f", b"k"
DAMAGED_BODIES = b"mdamaged."
"""Prefix of facts about bodies that are not what their digest says (node/flow/bodies/scrub.py)."""

UNDER_WAY = b"munder_way."
"""Prefix of names of what was under way when a process died (node/flow/risk.py)."""

QUEUES = b"aehiloqw"
"""Tables (first octets) whose rows come and go all the time; engines may keep them apart from those that stay."""

_MS = struct.Struct(">Q")
_LANE_MS = struct.Struct(">BQ")
_MS_MAX = 2**64 - 1

OUTBOX_PACKET, OUTBOX_RELAY, OUTBOX_RECEIPT = 1, 2, 3
DUE_EXPIRE, DUE_FORGET, DUE_ERASE, DUE_ASK_NO_MORE = 1, 2, 3, 4


def body(body_sha256: bytes) -> bytes:
    """Key of a small body."""
    return BODY + body_sha256


def body_ref(body_sha256: bytes, packet_id: bytes = b"") -> bytes:
    """Key that says that a packet needs a body; without a packet the prefix of all that need it."""
    return b"f" + body_sha256 + packet_id


def body_of_ref(key: bytes) -> bytes:
    """Return the body's SHA-256 of such a key."""
    return key[1:33]


def after_refs(body_sha256: bytes) -> bytes:
    """Place after all packets that need a body."""
    return b"f" + body_sha256 + b"\xff" * 17


def damaged_body(body_sha256: bytes) -> bytes:
    """Key of the fact that a body is damaged."""
    return DAMAGED_BODIES + body_sha256


def damaged_body_of(key: bytes) -> bytes:
    """Return the body's SHA-256 of such a key."""
    return key[len(DAMAGED_BODIES) :]


def under_way(name: bytes) -> bytes:
    """Key of how often something was under way when a process died."""
    return UNDER_WAY + name


def name_under_way(key: bytes) -> bytes:
    """Return the name in such a key."""
    return key[len(UNDER_WAY) :]


def delivery(packet_id: bytes, unit: str = "") -> bytes:
    """Key of a delivery; without a unit the prefix of all deliveries of the packet."""
    return b"d" + packet_id + unit.encode()


def packet_of_delivery(key: bytes) -> bytes:
    """Return the packet id of a delivery key."""
    return key[1:17]


def unit_after_id(key: bytes) -> str:
    """Return the unit of a delivery or inbox entry key."""
    return key[17:].decode()


def arriving(packet_id: bytes) -> bytes:
    """Key of how far a packet has come that arrives slice by slice."""
    return ARRIVING + packet_id


def packet_of_arriving(key: bytes) -> bytes:
    """Return the packet id of such a key."""
    return key[1:]


def inbox(unit: str) -> bytes:
    """Prefix of a unit's inbox."""
    return b"i" + unit.encode() + b"\0"


def inbox_row(unit: str, lane: int, accept_time_ms: int, packet_id: bytes) -> bytes:
    """Key of one row of an inbox."""
    return inbox(unit) + _LANE_MS.pack(lane, accept_time_ms) + packet_id


def packet_of_row(key: bytes) -> bytes:
    """Return the packet id that ends an inbox, due, sent or hold key."""
    return key[-16:]


def inbox_entry(packet_id: bytes, unit: str = "") -> bytes:
    """Key of an inbox entry; without a unit the prefix of all of the packet's."""
    return b"n" + packet_id + unit.encode()


def packet(packet_id: bytes) -> bytes:
    """Key of a packet."""
    return b"k" + packet_id


def meta(name: str) -> bytes:
    """Key of a fact about this store."""
    return b"m" + name.encode()


def outbox(node_id: str) -> bytes:
    """Prefix of what is ready for a node."""
    return b"o" + node_id.encode() + b"\0"


def outbox_lane(node_id: str, lane: int) -> bytes:
    """Prefix of what is ready for a node in one lane."""
    return outbox(node_id) + bytes([lane])


def outbox_row(node_id: str, lane: int, since_ms: int, packet_id: bytes, kind: int) -> bytes:
    """Key of one thing that is ready."""
    return outbox(node_id) + _LANE_MS.pack(lane, since_ms) + packet_id + bytes([kind])


def outbox_moment(node_id: str, lane: int, since_ms: int) -> bytes:
    """Place from which on the rows of a node and lane have waited since a moment, or less long."""
    return outbox(node_id) + _LANE_MS.pack(lane, since_ms)


def later(node_id: str) -> bytes:
    """Prefix of what is put off for a node."""
    return b"l" + node_id.encode() + b"\0"


def later_from(node_id: str, due_ms: int) -> bytes:
    """Place from which on rows are put off for a node until `due_ms` or longer."""
    return later(node_id) + _MS.pack(due_ms)


def later_row(due_ms: int, outbox_key: bytes) -> bytes:
    """Key of a ready row put off until `due_ms`."""
    node, tail = outbox_key[1:].split(b"\0", 1)
    return b"l" + node + b"\0" + _MS.pack(due_ms) + tail


def due_of_later(key: bytes) -> int:
    """Return when a put-off row is due."""
    tail = key.split(b"\0", 1)[1]
    return int(_MS.unpack_from(tail)[0])


def ready_of_later(key: bytes) -> bytes:
    """Return the outbox key that a put-off row goes back to."""
    node, tail = key[1:].split(b"\0", 1)
    return b"o" + node + b"\0" + tail[8:]


def parse_outbox_row(key: bytes) -> tuple[str, int, bytes, int]:
    """Return (node, lane, packet id, kind) of a ready row."""
    node, tail = key[1:].split(b"\0", 1)
    return node.decode(), tail[0], tail[9:25], tail[25]


def parse_waiting_row(key: bytes) -> tuple[str, int, int]:
    """Return (node, lane, since when in milliseconds) of a row that is ready or put off."""
    node, tail = key[1:].split(b"\0", 1)
    lane, since_ms = _LANE_MS.unpack_from(tail, 8 if key[:1] == LATER else 0)
    return node.decode(), int(lane), int(since_ms)


def peer(node_id: str) -> bytes:
    """Key of a peer."""
    return b"p" + node_id.encode()


def outbox_index(packet_id: bytes, node_id: str, kind: int) -> bytes:
    """Key under which the place of an outbox row is found."""
    return b"q" + packet_id + node_id.encode() + b"\0" + bytes([kind])


def parse_outbox_index(key: bytes) -> tuple[str, int]:
    """Return node and kind of an index row."""
    return key[17:-2].decode(), key[-1]


def outbox_index_of(packet_id: bytes) -> bytes:
    """Prefix of all outbox rows of a packet."""
    return b"q" + packet_id


def quarantine(name: bytes) -> bytes:
    """Key of a row that is laid aside, by its name of 8 octets."""
    return QUARANTINE + name


def receipt(packet_id: bytes, level: int, node_id: str = "") -> bytes:
    """Key of a receipt; without a node the prefix of all of that level."""
    return b"r" + packet_id + bytes([level]) + node_id.encode()


def receipts(packet_id: bytes) -> bytes:
    """Prefix of all receipts of a packet."""
    return b"r" + packet_id


def submission(system: str, submission_id: str) -> bytes:
    """Key of a submission."""
    return b"s" + system.encode() + b"\0" + submission_id.encode()


def sent(system: str) -> bytes:
    """Prefix of what a system has submitted."""
    return b"g" + system.encode() + b"\0"


def sent_row(system: str, accept_time_ms: int, packet_id: bytes) -> bytes:
    """Key of one packet that a system has submitted; the newest sorts first."""
    return sent(system) + _MS.pack(_MS_MAX - accept_time_ms) + packet_id


def statuses(packet_id: bytes, unit: str | None = None) -> bytes:
    """Prefix of all statuses of a packet, or of one unit's."""
    return b"t" + packet_id + (unit.encode() + b"\0" if unit is not None else b"")


def status(packet_id: bytes, unit: str, accept_time_ms: int, status_packet_id: bytes) -> bytes:
    """Key of one status."""
    return statuses(packet_id, unit) + _MS.pack(accept_time_ms) + status_packet_id


def upload(token: bytes) -> bytes:
    """Key of an upload."""
    return b"u" + token


def bridge_order(system: str, order_sha256: bytes) -> bytes:
    """Key of an order about a unit that the bridge has carried out for a system."""
    return b"j" + system.encode() + b"\0" + order_sha256


def held(until_ms: int, packet_id: bytes) -> bytes:
    """Key of a packet that waits for its document until a time."""
    return held_from(until_ms) + packet_id


def held_from(until_ms: int) -> bytes:
    """Place from which on packets wait for their documents until `until_ms` or longer."""
    return HELD + _MS.pack(until_ms)


def duty(due_ms: int, packet_id: bytes, status_code: str, unit: str) -> bytes:
    """Key of a status that the node owes in a unit's name, about or in answer to a packet."""
    return b"w" + _MS.pack(due_ms) + packet_id + status_code.encode() + unit.encode()


def duty_from(due_ms: int) -> bytes:
    """Place from which on duties are due at `due_ms` or later."""
    return b"w" + _MS.pack(due_ms)


def due_of(key: bytes) -> int:
    """Return when a duty or a hook is due, or until when something waits for its document."""
    return int(_MS.unpack_from(key, 1)[0])


def hold(packet_id: bytes) -> bytes:
    """Key of the legal hold of a packet."""
    return HOLDS + packet_id


def due(at_ms: int, kind: int, packet_id: bytes) -> bytes:
    """Key of something to do at a time."""
    return b"z" + _MS.pack(at_ms) + bytes([kind]) + packet_id


def due_from(at_ms: int) -> bytes:
    """Place from which on things are due at a time or later."""
    return DUE + _MS.pack(max(at_ms, 0))


def parse_due(key: bytes) -> tuple[int, int, bytes]:
    """Return (time, kind, packet id) of a due row."""
    return int(_MS.unpack_from(key, 1)[0]), key[9], key[10:26]


LATER = b"l"
OUTBOX = b"o"
DELIVERIES = b"d"
DUE = b"z"
ARRIVING = b"A"
HELD = b"h"
DUTIES = b"w"
PEERS = b"p"
UPLOADS = b"u"
HOLDS = b"H"
PACKETS, BRIDGE_ORDERS = b"k", b"j"
QUARANTINE = b"Q"
"""Prefixes of whole tables, for the few scans that want one."""
