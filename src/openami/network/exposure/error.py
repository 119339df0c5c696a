"""What exposure refuses to compute."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class ExposureError(OpenAmiError):
    """A value for which the formulas or the rule say nothing; the text names it and the range that they hold for."""
