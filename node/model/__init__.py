"""Model: the words of the house, as frozen dataclasses and enums. Nothing here reads a clock, a disk or a socket.

code.py       identifier codes of units          directory.py     nodes, zones, units, aliases, and who serves whom
packet.py     a whole edXML packet               header.py        the part of it that routing reads
envelope.py   what travels                       receipt.py       what a node signs about it
delivery.py   the one thing with a state         life.py          what becomes of a document
status.py     business statuses                  completeness.py  how completely they are reported
deadline.py   what is owed by when               calendar.py      which days are worked
mesh.py       what nodes say to each other       office.py        what offices and operators ask and see
finding.py    what the rules find                reason.py        why something is refused or waits
lane.py       urgency                            policy.py        limits and times
naming.py     names that follow from content     webhook.py       what systems are told of
hold.py       an operator's legal hold           statement.py     by which times a signed statement is judged
thresholds.py from where on something is a finding
urgency.py    degrees of urgency as people write them
"""
