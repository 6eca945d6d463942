"""Doctor: looks at a node from outside and says what is missing or wrong, and what to do. One file per thing that is looked at.

check.py    one finding        examine.py   all of them, in order
home.py certificates.py files.py clock.py ports.py mesh.py peers.py doors.py
"""
