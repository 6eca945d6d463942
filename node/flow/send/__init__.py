"""Send: from the outbox to a believed receipt. One courier per peer; the outbox is the only layer that tries again.

dispatch.py     which peers need a courier, and wakes them     courier.py      one peer's loop: plan, carry, settle
plan.py         what goes next, and by which road              outbox.py       the rows
turns.py        whose turn it is, of several lanes             fair.py         within a lane, which unit's
packing.py      rows to parcels                                transfer.py     asks the peer, verifies its answers
settling.py     what these change, in one transaction          uploading.py    a body that travels by itself
supplement.py   a receipt that grows                           questions.py    after its time a packet is only asked about
mending.py      a body damaged here, fetched again from another node
adoption.py     what we signed before our disk was lost        reroute.py      when a unit has moved
routing.py      direct, or through which relay                 peer_health.py  what is known of each peer's road, durably
hello.py        greetings that tell who is newer               peers_seen.py   what peers said of themselves
room.py         which peers take again what they put off       resigning.py    signs anew what a key that ended had signed
relay.py        what is carried for others                     loopback.py     peers that are this very node
receipts.py     signing and believing receipts, and what they change
"""
