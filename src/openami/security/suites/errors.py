"""The one error of the cipher suites. Its text never holds a key, a plaintext or a tag."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class SuiteError(OpenAmiError):
    """Sealed octets cannot be opened.

    Args:
        code: ``short``, ``unknown_suite``, ``key_length``, ``compressed``, ``unprotected``, ``unauthenticated``,
            ``bad_tag``, ``bad_wrap``, ``bad_point`` or ``bad_signature``.
        message: what is wrong, for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
