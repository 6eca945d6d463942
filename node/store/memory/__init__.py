"""Memory: a store and bodies without a disk, behind the same contract, for tests and the simulator."""
