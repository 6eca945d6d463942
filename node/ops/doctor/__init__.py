"""Doctor: looks at a node from outside and says what is missing or wrong, and what to do. One file per thing that is looked at.

check.py   what a finding is                     examine.py   all of them, in order
home.py    settings, keys, zone, directory, disk   mesh.py    the running node, roads to the peers, what waits
files.py   owners, modes, ages of keys             peers.py   do peers find us, versions
clock.py   is the clock kept right?                doors.py   the bridge, webhooks
ports.py   who listens where                       certificates.py  certificates that no node could use
"""
