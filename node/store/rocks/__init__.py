"""Rocks: the store on RocksDB (mesh.md part 0 has the facts it rests on).

store.py     the Store            engine.py     options, families, batches; rocksdict only here and in check.py
committer.py one thread that makes commits durable              witness.py    tells a tail that was lost
check.py     looks at a store without opening it for writing
"""
