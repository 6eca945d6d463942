"""Ops: what operators do, apart from the words of a command: the console and the command line call it.

    home.py    a node's folder                making.py      a new one
    join.py    trusts an authority            describing.py  what the zone tells the directory of the node
    keys.py    new certificates, passphrase   key_times.py   when keys begin and end for others
    zone.py    signs what the node lists      connect.py     systems of offices, VXP among them
    world.py   several nodes and an authority   webhooks.py  addresses that systems are told at
    doctor/    what is missing or wrong       support/       a bundle for those who help

Heavy imports stand at the top of these files; a command that must answer at once imports them late.
"""
