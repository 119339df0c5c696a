"""Adapters of the billing room. Wired in ``app`` alone."""
