"""Unusual access. Not built yet."""
