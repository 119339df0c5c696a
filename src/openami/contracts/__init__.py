"""Frozen, versioned messages between rooms. Rooms that do not import each other meet here.

Frames travel sealed (:mod:`~openami.contracts.frame`); readings travel as columns
(:mod:`~openami.contracts.reading`); events and dead letters are few and travel as records.
"""
