"""Readings as people work them: usage, edits, history, retention and the rules of validation."""
