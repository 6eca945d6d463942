"""The sandbox: a mesh in one process for those who write document software (truc sandbox).

A vendor connects his software to a node that is whole and real, on loopback, and tries in a minute what takes days in an office: the
clock can be put forward, and units that exist only here answer by themselves, each in a manner of its own. Nothing in it can reach the
real mesh: an authority of its own, prefixes that nobody has, doors on this machine only.

    world.py            makes it on disk                    site.py         what is on disk then
    running.py          all of it together, running
      counterparts.py   units that answer                   writers.py      units that write
      publishing.py     changes of zones reach everybody    watch.py        what was refused at the door
      papers.py         documents and statuses to write     writing.py      as packets of every style (pdf.py)
      cast.py           who lives there (pure)              clock.py        the machine's time, put forward by hand
    door.py             HTTP for people and for vendors' own tests          remote.py   the same door, seen from the command line
"""
