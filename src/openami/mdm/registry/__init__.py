"""The registry: which meter hung at which service point, when, with which reads at both ends. Knows no person."""
