"""The maker of the territory's meters: signs firmware images, and gives meters the key to check them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from openami.meter.objects.image import ImageVerifier
from openami.security.suites.curve import public_key_of, sign, verify_signature
from openami.security.suites.errors import SuiteError

SCALAR_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Maker:
    """A maker.

    Args:
        signing_key: scalar of P-256, 32 octets; not shown.
    """

    signing_key: bytes = field(repr=False)

    def signed_image(self, identifier: bytes, content: bytes) -> bytes:
        """Return the image that a meter takes: the content and, last, the signature over identifier and content.

        Args:
            identifier: ``OAM240-MM.mm.pp``, two digits each; newer than what runs, or no meter takes it.
            content: the firmware.

        Raises:
            MisuseError: the signing key is no scalar of the curve.
        """
        return content + sign(self.signing_key, identifier + content)

    def verifier(self) -> ImageVerifier:
        """Return what a meter checks images with; it knows the public key alone."""
        public_key = public_key_of(self.signing_key)

        def verify(message: bytes, signature: bytes) -> bool:
            try:
                return verify_signature(public_key, message, signature)
            except SuiteError:
                return False

        return verify


def make_maker(secret: Callable[[int], bytes]) -> Maker:
    """Return a maker with a key of its own; ``secret`` returns octets nobody can guess."""
    # The curve's order begins with 32 one bits: a scalar below 2**248 and not 0 is always one.
    return Maker((b"\x01" + secret(SCALAR_OCTETS - 2)).rjust(SCALAR_OCTETS, b"\0"))
