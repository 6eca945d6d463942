"""Zone: what a node says of itself and signs with its own zone key: its join request, its units, its aliases.

zone_lock.py    one editor at a time, over processes
  zone.py       signs: join request, update
    listing.py  what the node lists: units and aliases
zonefiles.py    the other side: how the authority reads and checks what a node has signed
"""
