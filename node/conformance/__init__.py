"""Conformance: a numbered checklist for document software, and how each point of it is found out (truc conformance).

A run sends test documents from the sandbox's own unit to the unit that the vendor's software speaks for, through the mesh as any office
would, and watches what the software does with them: what it fetches, acknowledges, reports and answers. Every packet that the software
sends to that unit is judged by the rules; the sandbox tells of those that the node refused at its door. A run believes only what it has
seen, and asks nothing of the software but what it would do anyway.

    checks.py    the checklist: number, title, source       verdict.py    pass, fail, not seen; and the evidence
    scene.py     sending, and what has been seen so far     acts.py       one function for each point about what the software receives
    packets.py   the points about packets that it sends, also over a folder of files
    run.py       all of it, within a time limit
"""
