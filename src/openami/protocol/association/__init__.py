"""Associations, sans-IO, both roles over the same messages: a client that reads a meter, a meter that answers."""
