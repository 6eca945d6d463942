"""Ops: what operators do, apart from the words of a command: the console and the command line call it.

    home.py   makes a node's folder          world.py    several nodes and an authority at once
    join.py   trusts an authority            connect.py  systems of offices, VXP among them
    keys.py   new certificates, passphrase   zone.py     signs what the node lists
    doctor/   what is missing or wrong       support/    a bundle for those who help

Heavy imports stand at the top of these files; a command that must answer at once imports them late.
"""
