"""The root of every error that OpenAMI raises on purpose.

An *anticipated error* is a subclass declared beside the function that raises it. A *finding* is data about
data and is never raised (see :mod:`openami.kernel.finding`). Anything else that escapes is a bug.
"""


class OpenAmiError(Exception):
    """An anticipated error. Its text names the place and the mend, and holds no secret and no reading."""


class MisuseError(OpenAmiError):
    """The caller broke a stated precondition (our own bug or a wrong command line)."""
