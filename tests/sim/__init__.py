"""Simulation: the real node, courier and flow under virtual time, over a network, disks and clocks that misbehave by one seed."""
