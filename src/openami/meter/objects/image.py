"""Image transfer: a firmware image comes in numbered blocks, is verified by its signature, and takes over when told.

An image is its content and, last, a signature of 64 octets by the maker over identifier and content. Half an image
stays through a loss of power, and a transfer begun again with the same identifier and size goes on where it stood.
What fails to verify is thrown away.

Source: IEC 62056-6-2, 4.4.6 (image transfer).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from openami.meter.objects.model import READERS, Attribute, Call, CosemObject, Method, Writing, cosem_object
from openami.meter.objects.shapes import Flag
from openami.meter.objects.values import boolean, enum
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.axdr import BitString, Data, Tag, array, octet_string, structure, u32
from openami.protocol.cosem.reference import ActionResult

IMAGE_INSTANCE = "0.0.44.0.0.255"
BLOCK_OCTETS = 512
"""Half of the smallest APDU that a client of ours takes, so that a block and its wrapping fit in one message."""
MAX_IMAGE_OCTETS = 256 * 1024
"""Far above the firmware of a meter of this kind; bounds what one meter keeps."""
SIGNATURE_OCTETS = 64
_U32 = Tag.DOUBLE_LONG_UNSIGNED
_IDENTIFIER = re.compile(rb"OAM240-(\d{2})\.(\d{2})\.(\d{2})")


class ImageStatus(IntEnum):
    """Image transfer status."""

    NOT_INITIATED = 0
    INITIATED = 1
    VERIFICATION_INITIATED = 2
    VERIFICATION_SUCCESSFUL = 3
    VERIFICATION_FAILED = 4
    ACTIVATION_INITIATED = 5
    ACTIVATION_SUCCESSFUL = 6
    ACTIVATION_FAILED = 7


class ImageVerifier(Protocol):
    """Knows the maker's public key."""

    def __call__(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature (r and s, 64 octets, ECDSA on P-256 with SHA-256) is the maker's."""
        ...


@dataclass(slots=True)
class ImageTransfer:
    """State of the transfer, and which firmware runs.

    Args:
        verifier: checks the maker's signature.
        active: identifier of the firmware that runs.
    """

    verifier: ImageVerifier
    active: bytes = b"OAM240-01.00.00"
    is_enabled: bool = True
    status: ImageStatus = ImageStatus.NOT_INITIATED
    identifier: bytes = b""
    image: bytearray = field(default_factory=bytearray, repr=False)
    has_block: list[bool] = field(default_factory=list, repr=False)

    def first_missing(self) -> int:
        """Return the number of the first block that has not come; the number of blocks where all have."""
        return next((k for k, has in enumerate(self.has_block) if not has), len(self.has_block))

    def initiate(self, identifier: bytes, size: int) -> None:
        """Begin, or go on with, an image.

        Raises:
            ActionRefusedError: an identifier or a size that no image of this meter has.
        """
        if not _IDENTIFIER.fullmatch(identifier) or not SIGNATURE_OCTETS < size <= MAX_IMAGE_OCTETS:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        if (self.identifier, len(self.image)) != (identifier, size) or self.status is not ImageStatus.INITIATED:
            self.identifier, self.image = identifier, bytearray(size)
            self.has_block = [False] * -(-size // BLOCK_OCTETS)
        self.status = ImageStatus.INITIATED

    def take_block(self, number: int, octets: bytes) -> None:
        """Keep a block.

        Raises:
            ActionRefusedError: no transfer, or a block that the image does not have.
        """
        if self.status is not ImageStatus.INITIATED or not 0 <= number < len(self.has_block):
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        start = number * BLOCK_OCTETS
        if len(octets) != min(BLOCK_OCTETS, len(self.image) - start):
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        self.image[start : start + len(octets)] = octets
        self.has_block[number] = True

    def verify(self) -> bool:
        """Check signature and version and return whether the image may run.

        Raises:
            ActionRefusedError: no transfer, or a block is missing.
        """
        if self.status is not ImageStatus.INITIATED or not all(self.has_block):
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        content, signature = bytes(self.image[:-SIGNATURE_OCTETS]), bytes(self.image[-SIGNATURE_OCTETS:])
        # An older image of the same maker is refused too: its mended faults would come back.
        if self.identifier > self.active and self.verifier(self.identifier + content, signature):
            self.status = ImageStatus.VERIFICATION_SUCCESSFUL
            return True
        self.status = ImageStatus.VERIFICATION_FAILED
        self._forget()
        return False

    def activate(self) -> None:
        """Let the verified image run.

        Raises:
            ActionRefusedError: no image was verified.
        """
        if self.status is not ImageStatus.VERIFICATION_SUCCESSFUL:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        self.active = self.identifier
        self.status = ImageStatus.ACTIVATION_SUCCESSFUL
        self._forget()

    def _forget(self) -> None:
        self.identifier, self.image, self.has_block = b"", bytearray(), []


class ImageEvent(IntEnum):
    """What a transfer tells the meter."""

    READY = 1
    ACTIVATED = 2
    REFUSED = 3


def image_object(transfer: ImageTransfer, tell: Callable[[ImageEvent], None]) -> CosemObject:
    """Return the image transfer (class 18); ``tell`` hears what came of an image."""

    def enable(data: Data) -> None:
        transfer.is_enabled = bool(data.value)

    return cosem_object(
        18, 0, IMAGE_INSTANCE,
        [
            Attribute(2, lambda: u32(BLOCK_OCTETS), READERS),
            Attribute(3, lambda: _bitmap(transfer.has_block), READERS),
            Attribute(4, lambda: u32(transfer.first_missing()), READERS),
            Attribute(5, lambda: boolean(transfer.is_enabled), READERS, Writing(Flag(), enable)),
            Attribute(6, lambda: enum(transfer.status), READERS),
            Attribute(7, lambda: _to_activate(transfer), READERS),
        ],
        _methods(transfer, tell),
    )  # fmt: skip


def _methods(transfer: ImageTransfer, tell: Callable[[ImageEvent], None]) -> list[Method]:
    def verify(_parameter: Data | None) -> None:
        if not transfer.verify():
            tell(ImageEvent.REFUSED)
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        tell(ImageEvent.READY)

    def activate(_parameter: Data | None) -> None:
        transfer.activate()
        tell(ImageEvent.ACTIVATED)

    def guarded(step: Callable[[Data | None], None]) -> Call:
        def call(parameter: Data | None) -> Data | None:
            if not transfer.is_enabled:
                raise ActionRefusedError(ActionResult.TEMPORARY_FAILURE)
            step(parameter)
            return None

        return call

    steps = (lambda p: _initiate(transfer, p), lambda p: _take_block(transfer, p), verify, activate)
    return [Method(k, guarded(step)) for k, step in enumerate(steps, start=1)]


def _initiate(transfer: ImageTransfer, parameter: Data | None) -> None:
    identifier, size = _pair(parameter, Tag.OCTET_STRING, _U32)
    transfer.initiate(identifier.octets or b"", size.integer or 0)


def _take_block(transfer: ImageTransfer, parameter: Data | None) -> None:
    number, octets = _pair(parameter, _U32, Tag.OCTET_STRING)
    transfer.take_block(number.integer or 0, octets.octets or b"")


def _pair(parameter: Data | None, first: Tag, second: Tag) -> tuple[Data, Data]:
    members = parameter.elements if parameter is not None and parameter.tag is Tag.STRUCTURE else ()
    if [m.tag for m in members] != [first, second]:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    return members[0], members[1]


def _bitmap(has_block: list[bool]) -> Data:
    octets = bytearray((len(has_block) + 7) // 8)
    for k, has in enumerate(has_block):
        if has:
            octets[k // 8] |= 0x80 >> k % 8
    return Data(Tag.BIT_STRING, BitString(len(has_block), bytes(octets)))


def _to_activate(transfer: ImageTransfer) -> Data:
    if transfer.status is not ImageStatus.VERIFICATION_SUCCESSFUL:
        return array()
    signature = bytes(transfer.image[-SIGNATURE_OCTETS:])
    return array(structure(u32(len(transfer.image)), octet_string(transfer.identifier), octet_string(signature)))
