"""Fuzzing: what must hold for any octets at all (target.py), octets that come near to packets (mutate.py), and what was found once
(corpus/, replayed by test_corpus.py). Run by `./dev fuzz`."""
