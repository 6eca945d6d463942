"""The directory (danh bạ): the one root of trust, made with The Update Framework (TUF; theupdateframework.io).

The signatures. The authority's offline keys sign `root` (which keys count) and `targets` (which only delegates). Every node has
one delegated role, named by its id and signed by its own zone key; the delegation names exactly `nodes/<node_id>` and
`zones/<prefix>` for every prefix granted, and the roles granted (relay, directory). So the delegation *is* the grant: nobody can
publish a zone outside its prefixes, and the centre signs no unit of a province. One online key signs `snapshot` and `timestamp`.
(Decision 0003 says why.)

The floors, from the top: a file uses what stands below it.

    trust/       how any node comes to believe a directory and keeps it: fetched, verified, believed, loaded, served to others
    authority/   how the centre makes one: admits nodes, takes their zones, publishes
    zone/        what a node lists and signs of its own: a join request, units, aliases
    lookup/      the units of a believed directory, in little memory, by code and by name

    the ground, which all four stand on:
      root.py        the first root, the next root                delegation.py  grants as TUF delegations
      rules.py       what a node file and a zone file may say     translate.py   their bytes <-> words
      signing.py     key files, signed metadata                   grant.py       who was granted what
      files.py       atomic writes, reading, faults of the disk   layout.py      names of files, limits, lifetimes
      tufapi.py      the names of python-tuf that are used        certificates.py  none stands in another node's way

Files travel in one layout, which is also how they lie on disk, so a folder, a USB stick and FetchDirectory are the same thing:
`metadata/<n>.root.json`, `metadata/{root,timestamp,snapshot,targets,<node_id>}.json`, `targets/nodes/<node_id>`,
`targets/zones/<prefix>`. Consistent snapshots are off: names stay readable, and a reader who catches the moment of publishing
finds a digest that differs, refuses, and asks again.
"""
