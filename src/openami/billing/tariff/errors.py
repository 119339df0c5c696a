"""The one error of rate sheets: what we cannot price exactly, we refuse by the name of its clause."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class TariffError(OpenAmiError):
    """A rate cannot be read or cannot be applied.

    Args:
        clause: the part of the rate sheet or file concerned, for example ``energyratestructure[2][0].unit``.
        reason: why, and what would mend it.
    """

    def __init__(self, clause: str, reason: str) -> None:
        # A path names keys of a stranger's file: on a terminal they are letters and nothing else.
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{clause}: {reason}"))
        self.clause = clause
        self.reason = reason
