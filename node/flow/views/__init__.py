"""Views: what people and programs ask about deliveries and documents. Only `operator.set_held` changes a row.

track.py        one packet's deliveries and statuses        history.py       a document's dossier
deadlines.py    what is owed by when                        completeness.py  who returns statuses, and who does not
operator.py     outbox and peers                            queue_counts.py  how much waits, and since when
in_words.py     opens sealed headers for those who may see them   standstill.py  queues that do not move though the road is open
"""
