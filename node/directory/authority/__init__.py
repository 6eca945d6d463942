"""Authority: the centre's side. It admits nodes, takes their zones, revokes, and publishes editions; it signs no unit of a province.

authority.py    the verbs: admit, grant, take, revoke, publish
  publish.py    an edition, file by file
  canary.py     an edition tried as a node does, before anybody sees it
  whole.py      whole editions beside the public files, for readers that come while one is written
  consent.py    the holder of a prefix agrees to another holder inside it
  draft.py      the two folders: what is decided, what is published
  summary.py    all of it at a glance, for people
"""
