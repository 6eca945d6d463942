"""Doctor: looks at a node from outside and says what is missing or wrong, and what to do. One file per thing that is looked at.

check.py    what is said of one thing                patient.py       the node, and what is known of it so far
examine.py  all of them, in order                    home.py          settings, keys, zone, disk, holidays
files.py    owners, modes, ages of keys              keys.py          times of keys, here and in the directory
directory.py  what the directory says of the node    certificates.py  certificates that no node could use
units.py    units, aliases, systems                  doors.py         the bridge, webhooks
mesh.py     the running node, what waits             peers.py         do peers find us, versions
clock.py    is the clock kept right?                 ports.py         who listens where
strays.py   what lies about and is nobody's
"""
