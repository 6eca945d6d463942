"""Bodies: encrypted packets by digest, in the store or as files, counted by who needs them.

refs.py     who names a body                       files.py           files of bodies, and locks on their names
reading.py  back to octets                         stale_uploads.py   uploads that nobody goes on with
summary.py  the sealed header that lists show      scrub.py           all of them read again in turns
damage.py   those known to be damaged              giving.py          whole ones for nodes whose copy is damaged
"""
