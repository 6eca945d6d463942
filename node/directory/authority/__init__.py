"""Authority: the centre's side. It admits nodes, takes their zones, revokes, and publishes editions; it signs no unit of a province.

authority.py  admit, take, revoke            draft.py    what is decided and not yet published
publish.py    an edition, file by file       summary.py  what an edition holds, in words
whole.py      editions beside the public files canary.py  an edition tried as a node does
"""
