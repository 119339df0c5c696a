"""Image transfer to one meter, in sessions: steps of a client association that go on where an earlier session stood.

Source: IEC 62056-6-2, 4.4.6 (image transfer, class 18): initiate, blocks, verify, activate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from openami.headend.keeping.campaign import Report
from openami.kernel.obis import Obis
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, Tag, octet_string, structure, u32
from openami.protocol.cosem.reference import ActionResult, AttributeRef, MethodRef
from openami.protocol.errors import PeerError

IMAGE = Obis.from_text("0.0.44.0.0.255")
FIRMWARE_ID = Obis.from_text("1.0.0.2.0.255")
IMAGE_CLASS, DATA_CLASS = 18, 1
BLOCK_SIZE, FIRST_MISSING, STATUS, TO_ACTIVATE = 2, 4, 6, 7
INITIATE, BLOCK, VERIFY, ACTIVATE = 1, 2, 3, 4
INITIATED, VERIFICATION_SUCCESSFUL, VERIFICATION_FAILED = 1, 3, 4
MAX_BLOCK_OCTETS = 16_384
BLOCKS_PER_SESSION = 64
"""Then others have their turn: a session of half an hour would keep a person's read waiting."""
_ZERO = Data(Tag.INTEGER, 0)
_LATER = frozenset({ActionResult.TEMPORARY_FAILURE})


@dataclass(frozen=True, slots=True)
class Image:
    """A signed image as it goes to the meter.

    Args:
        identifier: what the meter shows when it runs.
        octets: content and signature.
    """

    identifier: bytes
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a session gave: for the campaign.

    Args:
        report: what happened.
        next_block: first block that the meter has not confirmed.
        words: for people.
    """

    report: Report
    next_block: int
    words: str


def send_image(
    client: ClientAssociation,
    image: Image,
    *,
    most_blocks: int = BLOCKS_PER_SESSION,
    has_begun: bool = False,
    note: Callable[[int], None] = lambda _: None,
) -> Steps[Progress]:
    """Send blocks that the meter does not have, and let it verify once it has all.

    Args:
        client: an open association with the management rights.
        image: what to send.
        most_blocks: blocks of this session.
        has_begun: an earlier session of ours has begun with this image. Then the meter is not told to begin where it
            says that it has: of some meters that would throw away what is there.
        note: hears the first block that the meter does not have, as it moves on: what a session that breaks off has
            brought all the same.

    Raises:
        PeerError: a block size that is no size, or an answer that is none.
        AccessRefusedError: the meter does not let itself be asked.
    """
    running = yield from client.read(AttributeRef(DATA_CLASS, FIRMWARE_ID, 2))
    if running.octets == image.identifier:
        return Progress(Report.CONFIRMED, 0, "the meter runs this firmware already")
    status = (yield from client.read(AttributeRef(IMAGE_CLASS, IMAGE, STATUS))).integer
    if status == VERIFICATION_SUCCESSFUL and (yield from _holds(client, image)):
        # An earlier answer was lost; to begin anew would throw the image away.
        return Progress(Report.VERIFIED, 0, "the meter has the image and it verifies")
    if not (has_begun and status == INITIATED):
        try:
            parameter = structure(octet_string(image.identifier), u32(len(image.octets)))
            yield from client.call(MethodRef(IMAGE_CLASS, IMAGE, INITIATE), parameter)
        except ActionRefusedError as error:
            return _refused("the meter does not take this image", error)
    size = (yield from client.read(AttributeRef(IMAGE_CLASS, IMAGE, BLOCK_SIZE))).integer
    if size is None or not 0 < size <= MAX_BLOCK_OCTETS:
        raise PeerError("bad_content", "an image block size that is no size", 0)
    blocks = -(-len(image.octets) // size)
    first = (yield from client.read(AttributeRef(IMAGE_CLASS, IMAGE, FIRST_MISSING))).integer
    if first is None or not 0 <= first <= blocks:
        raise PeerError("bad_content", "a first missing block that is none", 0)
    last = min(blocks, first + most_blocks)
    note(first)
    for number in range(first, last):
        piece = image.octets[number * size : (number + 1) * size]
        yield from client.call(MethodRef(IMAGE_CLASS, IMAGE, BLOCK), structure(u32(number), octet_string(piece)))
        note(number + 1)
    if last < blocks:
        return Progress(Report.BLOCKS_SENT, last, f"{last} of {blocks} blocks are there")
    return (yield from _verify(client, blocks))


def activate_image(client: ClientAssociation, image: Image) -> Steps[Progress]:
    """Tell a meter that has verified its image to run it.

    Raises:
        AccessRefusedError: the meter does not let itself be asked.
    """
    known = yield from confirm_image(client, image)
    if known.report is Report.CONFIRMED:
        return known
    try:
        yield from client.call(MethodRef(IMAGE_CLASS, IMAGE, ACTIVATE), _ZERO)
    except ActionRefusedError as error:
        if error.result not in _LATER:
            return _refused("the meter does not run it", error)
    return Progress(Report.ACTIVATED, 0, "the meter was told to run it")


def confirm_image(client: ClientAssociation, image: Image) -> Steps[Progress]:
    """Ask which firmware a meter runs.

    Raises:
        AccessRefusedError: the meter does not say.
    """
    running = yield from client.read(AttributeRef(DATA_CLASS, FIRMWARE_ID, 2))
    if running.octets == image.identifier:
        return Progress(Report.CONFIRMED, 0, "the meter runs it")
    return Progress(Report.NO_ANSWER, 0, "the meter still runs another firmware")


def _holds(client: ClientAssociation, image: Image) -> Steps[bool]:
    """Tell whether it is this image that the meter has verified and waits to be told to run."""
    info = yield from client.read(AttributeRef(IMAGE_CLASS, IMAGE, TO_ACTIVATE))
    return any(image.identifier in (member.octets for member in entry.elements) for entry in info.elements)


def _verify(client: ClientAssociation, blocks: int) -> Steps[Progress]:
    try:
        yield from client.call(MethodRef(IMAGE_CLASS, IMAGE, VERIFY), _ZERO)
    except ActionRefusedError as error:
        if error.result in _LATER:
            return Progress(Report.BLOCKS_SENT, blocks, "the meter is still verifying")
        return _refused("the meter does not accept the image", error)
    status = (yield from client.read(AttributeRef(IMAGE_CLASS, IMAGE, STATUS))).integer
    if status == VERIFICATION_FAILED:
        return Progress(Report.REFUSED, blocks, "the image does not verify in the meter")
    return Progress(Report.VERIFIED, blocks, "the meter has the image and it verifies")


def _refused(words: str, error: ActionRefusedError) -> Progress:
    return Progress(Report.REFUSED, 0, f"{words} ({error.result.name.lower()})")
