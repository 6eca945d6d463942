"""The demo: a centre, a ministry and two provinces on this machine, real processes, for people who want to see documents travel.

__main__.py  the command (`./dev demo`)      world.py    folders, keys and the authority       nodes.py   the processes
letters.py   what is sent                    story.py    what happens, in order                figures.py what was counted
bridge.py    software that speaks VXP        show.py     what people see of it
"""
