"""Process: building and running one node. assembly.py is the only file that knows all rooms.

assembly.py   ports, node, loops, doors: started in order, stopped in the reverse
system.py     the machine's clock, chance and threads       systemd.py   tells the service manager that all is well
health.py     can it sign, store, and does it know a directory
"""
