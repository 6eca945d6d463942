"""The directory (danh bạ): the one root of trust, made with The Update Framework (TUF; theupdateframework.io).

Who signs what. The authority's offline keys sign `root` (which keys count) and `targets` (which only delegates). Every node has
one delegated role, named by its id and signed by its own zone key; the delegation names exactly `nodes/<node_id>` and
`zones/<prefix>` for every prefix granted, and the roles granted (relay, directory). So the delegation *is* the grant: nobody can
publish a zone outside its prefixes, and the centre signs no unit of a province. One online key signs `snapshot` and `timestamp`.

    layout.py      names of files, limits, lifetimes          files.py       atomic writes, reading, faults of the disk
    rules.py       what a node file or zone file may say      translate.py   its bytes <-> words
    grant.py       who was granted what                       delegation.py  the same as TUF delegations
    signing.py     key files, signed metadata                 authority.py   the authority: admit, take, revoke, publish
    root.py        the first root, the next root              zone.py        the node's own zone: join request, update
    listing.py     what the node lists: units and aliases
    verify.py      TUF's client rules over offered files      judge.py       our own rules over what TUF let through
    edition.py     a verified version on disk                 trust.py       bootstrap, update, load, serve to others
    units.py       125,000 units in little memory             search.py      units by code and name (fold.py: without accents)
    source.py      the live directory (ports.DirectorySource) freshness.py   how old it is, in words

Files travel in one layout, which is also how they lie on disk, so a folder, a USB stick and FetchDirectory are the same thing:
`metadata/<n>.root.json`, `metadata/{root,timestamp,snapshot,targets,<node_id>}.json`, `targets/nodes/<node_id>`,
`targets/zones/<prefix>`. Consistent snapshots are off: names stay readable, and a reader who catches the moment of publishing
finds a digest that differs, refuses, and asks again.
"""
