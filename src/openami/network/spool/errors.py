"""The spool's error family."""

from openami.kernel.errors import OpenAmiError


class SpoolError(OpenAmiError):
    """The spool cannot be written, or what is on its disk is not what was written."""


class SpoolFullError(SpoolError):
    """The spool has reached its bound: the frames were not taken."""
