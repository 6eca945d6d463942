"""Sign, verify, encrypt: the only room that knows cryptography. What suite 1 means is decided here and nowhere else."""
