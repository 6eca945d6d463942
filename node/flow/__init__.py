"""Flow: the rooms a document passes through: decisions and transaction functions, no I/O, no clock, no chance.

submit/    from an office's octets to the answer      send/      from the outbox to a believed receipt
receive/   from a peer's parcel to a signed receipt   inbox/     what waits for a unit
document/  what becomes of one document               duties/    statuses that the node owes in a unit's name
webhooks/  telling systems of what happened           expiry/    what ends or goes when its time has come
views/     what people and programs ask               bodies/    encrypted packets by digest
signals.py   who wakes whom                           loop.py    what every loop needs
counters.py  what has gone through                    backoff.py how long to wait after a failure
quarantine.py  what cannot be handled                 admission.py  what is taken as the disk fills up
agreed_time.py  whose clock is believed               risk.py    what the process has died of before

A transaction function takes a `Tx` first, is synchronous, and may run more than once. Slow work (reading XML, opening bodies,
verifying signatures) comes before it, in functions that take words and return words.
"""
