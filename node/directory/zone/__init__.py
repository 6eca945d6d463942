"""Zone: what a node says of itself and signs with its own zone key: its join request, its units, its aliases.

zone.py       join request, update          listing.py   what the node lists: units and aliases
zonefiles.py  the files of it               zone_lock.py one writer at a time, between processes
"""
