"""Copies of an installation's database and intervals at one point in time, sealed, and their way back."""
