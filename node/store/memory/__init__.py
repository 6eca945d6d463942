"""Memory: a store and bodies without a disk, behind the same contract, for tests and the simulator.

store.py   rows, and what a crash leaves of them        bodies.py   bodies and parts
"""
