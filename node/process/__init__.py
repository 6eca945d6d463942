"""Process: building and running one node. assembly.py is the only file that knows all rooms.

assembly.py   ports, node, loops, doors: started in order, stopped in the reverse
loops.py      the loops of a node, wired to what they use   systemd.py   tells the service manager that all is well
system.py     the machine's clock, chance and threads       health.py    can it sign, store, and does it know a directory
keys.py       private keys, and new ones as they come       trust_view.py   the directory, as an operator should see it
"""
