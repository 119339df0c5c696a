"""Meter data management: registry, interval store, validation, usage and files. Its face is :mod:`openami.mdm.api`."""
