"""The one error family of the certificate authority."""

from openami.kernel.errors import OpenAmiError


class PkiError(OpenAmiError):
    """A certificate, key or revocation list cannot be read; the text names the file, never its content."""
