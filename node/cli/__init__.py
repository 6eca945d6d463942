"""The `truc` command: verbs only. A verb takes its options, makes one call into the library, and puts the outcome into words.

    main.py      the command tree, exit codes         command.py   options that all share; HOME from --home or TRUC_HOME
    faults.py    how a failure is told                output.py    one JSON document for programs, tables for people

There is one file for each noun or verb, with the parts of a large noun beside it (node_keys.py, unit_search.py, sandbox_run.py …), and
some for words that several show (findings.py, deadlines.py). The work is done elsewhere: what offices do in node/office/, node/drop/ and
node/archive/, what operators do in node/ops/, so that the console can do it without a command line. A test keeps files out of here that
touch neither typer nor rich nor those helpers.

Everything heavy (grpc, tuf, cryptography, lxml, rich) is imported by the function that needs it, so that `truc --help` answers at once.
"""
