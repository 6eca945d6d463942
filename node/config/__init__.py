"""Settings: node.toml and the environment, read once, with all mistakes told at once.

    settings.py   what may be set, and how a mistake is told       listen.py     addresses of doors, and what may stand open
    example.py    the commented file that a new node begins with   calendar.py   holidays, from ngay-nghi.toml
    home.py       where things lie in a node's folder

Secrets are paths or credentials, never values in the file.
"""
