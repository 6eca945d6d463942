"""Store: the engines that hold packets, and the files of large bodies. Keys and records are made in node/rows/.

embedded/     what every store in this process shares           bodies.py      large bodies, as files named by digest
rocks/        the durable one                                   part.py        a body that is being written
memory/       the one of tests and the simulator                files.py       what every durable file needs
disk_usage.py how many octets it all takes                      timing.py      how long things took
space.py      what is free on the disk, and the reserve          damage.py      what could not be read
"""
