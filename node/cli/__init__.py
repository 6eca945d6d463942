"""The `truc` command: what operators and offices do by hand. One noun or verb per file; the demo is a user of the same parts.

    main.py       the command tree, exit codes, and how a fault is told
    command.py    options that all commands share; HOME may come from --home or TRUC_HOME
    output.py     one JSON document for programs, tables for people
    plain.py      words of the model as JSON; times          words.py   words of the model in Vietnamese
    config/home.py       a node's folder and how it is made         office.py  packets named by a few digits, files with safe names

Everything heavy (grpc, tuf, cryptography, rich) is imported by the function that needs it, so that `truc --help` answers at once.
"""
