"""Why the registry refuses. The text names the record and what to mend."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class RegistryError(OpenAmiError):
    """The registry refused; the text names the record and what to mend."""


class OverlapError(RegistryError):
    """Two meters at one point, or one meter at two points, at the same time."""


class UnknownRecordError(RegistryError):
    """No such service point, meter or installation."""


class MissingReadError(RegistryError):
    """An end of an installation has no read of a register, and nobody said that it could not be read."""
