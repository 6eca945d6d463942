"""Office: what an office means, by whatever door it is said: command line, `node.client`, drop folder, console.

    letters.py   a form becomes a packet file               packet_file.py   a packet in a file: read, judged, taken apart
    sent.py      a document that was sent, to be changed    changes.py       withdraw, update, replace
    naming.py    packets by a few digits or any name        proof.py         what a receipt proves

It asks a node for what it needs (naming.Desk) and does not care how patiently: the raw client of net/ does it for the command line,
`node.client` with retries for software. So the client stands above it, and nothing here knows the client.
"""
