"""A node of the truc mesh: it takes edXML packets from offices, keeps them durably and carries them to their recipients.

There are only a few things to know: a `Node` (node.py) receives packets, a `Courier` (flow/send/courier.py) sends them, and both reach
the world through `ports.py`. The words they use are in `model/`, the decisions they make in `flow/`.
"""

__version__ = "0.1.0"
