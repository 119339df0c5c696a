"""Keeps a fleet read, without I/O: what came and what is missing, what to ask when, and why a read is not here."""
