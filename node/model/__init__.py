"""The words of the house, as frozen dataclasses and enums. Nothing here reads a clock, a disk or a socket."""
