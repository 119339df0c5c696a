"""Validation runs: load from the store, run the kernel, write new versions where something changed."""
