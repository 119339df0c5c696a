"""The virtual meter: registers, capture, clock, events and sealed pushes. Knows no customer."""
