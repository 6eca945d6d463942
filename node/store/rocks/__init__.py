"""Rocks: the store on RocksDB (mesh.md part 0 has the facts it rests on).

store.py     the Store            engine.py     reads, batches, what errors mean
options.py   options, and which table lies in which family
committer.py one thread that makes commits durable              witness.py    tells a tail that was lost
check.py     looks at a store without opening it for writing    salvage.py    opens a damaged log at its last good point
"""
