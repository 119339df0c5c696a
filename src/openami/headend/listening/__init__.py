"""Frames become rows: clear heads, counter windows, opening and decoding, and the state that survives a kill."""
