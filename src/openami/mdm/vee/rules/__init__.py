"""Rules: what is said about readings, one module a family."""

from openami.mdm.vee.rules.reading import statements_of

__all__ = ["statements_of"]
