"""Streams and subjects of the durable bus, in one place. No subject carries an identity.

`dmz` subjects are written by the gateway alone; core sources from them. Partition ``p`` is
``crc32(system title) mod 64``, so every message of one device is in one partition, in order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from openami.kernel.ids import SystemTitle

PARTITIONS = 64
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A durable stream: its name, the subjects it keeps and for how long.

    ``dedup_window_s`` is how far back an equal ``Nats-Msg-Id`` is recognised as the same message. A ``max_age_s`` of 0
    keeps for ever; ``max_per_subject`` keeps the last so many of each subject, 0 for all.
    """

    name: str
    subjects: tuple[str, ...]
    max_age_s: int
    dedup_window_s: int = 120
    max_per_subject: int = 0


DMZ_FRAME = StreamSpec("DMZ_FRAME", ("dmz.frame.v1.*", "dmz.mark.v1.*"), 7 * DAY_S)
DMZ_HEALTH = StreamSpec("DMZ_HEALTH", ("dmz.health.v1.*",), 30 * DAY_S, max_per_subject=16)
"""What the gateway says of each collector (:mod:`openami.contracts.health`): the last few words."""
DMZ_AIRTIME = StreamSpec("DMZ_AIRTIME", ("dmz.airtime.v1.*.*",), 7 * DAY_S, max_per_subject=1)
"""How long radios were on the air (:mod:`openami.contracts.airtime`), by collector and part: the newest."""
DMZ_DIRECTIVE = StreamSpec("DMZ_DIRECTIVE", ("dmz.directive.v1.*.*",), 0, max_per_subject=1)
"""What core tells the gateway as a standing fact; see :mod:`openami.contracts.directive`."""
DMZ_THRESHOLD = StreamSpec("DMZ_THRESHOLD", ("dmz.threshold.v1.*",), 30 * DAY_S)
"""What the gateway says about thresholds (:mod:`openami.contracts.threshold_word`)."""
CORE_READING = StreamSpec("CORE_READING", ("core.reading.v1.*",), 7 * DAY_S)
CORE_EVENT = StreamSpec("CORE_EVENT", ("core.event.v1.*",), 14 * DAY_S)
CORE_DEADLETTER = StreamSpec("CORE_DEADLETTER", ("core.deadletter.v1",), 45 * DAY_S)
CORE_CHANGED = StreamSpec("CORE_CHANGED", ("core.changed.v1.*",), 2 * DAY_S)
CORE_COMMAND = StreamSpec("CORE_COMMAND", ("core.command.v1", "core.outcome.v1"), 14 * DAY_S)
"""What was signed that does more than read, and what became of every command: kept to look at, never read again."""
DMZ_STREAMS = (DMZ_FRAME, DMZ_HEALTH, DMZ_AIRTIME, DMZ_DIRECTIVE, DMZ_THRESHOLD)
ALL_STREAMS = (*DMZ_STREAMS, CORE_READING, CORE_EVENT, CORE_DEADLETTER, CORE_CHANGED, CORE_COMMAND)

DEADLETTER_SUBJECT = "core.deadletter.v1"
COMMAND_SUBJECT = "core.command.v1"
OUTCOME_SUBJECT = "core.outcome.v1"
"""Also listened to live by whoever waits for an answer."""
SEALING_SUBJECT = "core.sealing.v1"
"""Requests to the command process, ``core.sealing.v1.<what>``; no stream keeps them."""
DMZ_COMMAND_SUBJECT = "dmz.command.v1"
DMZ_OUTCOME_SUBJECT = "dmz.outcome.v1"
"""Between the command process and the gateway. No stream: a command is for now or for nobody."""


def partition_of(title: SystemTitle) -> int:
    """Return the partition, 0 to 63, of every message of this device.

    >>> partition_of(SystemTitle(bytes.fromhex("4f414d0000000001")))
    1
    """
    return partition_of_octets(title.octets)


def partition_of_octets(title: bytes) -> int:
    """Return the partition of the device whose system title has these eight octets (hot paths hold no objects)."""
    return crc32(title) % PARTITIONS


def frame_subject(partition: int) -> str:
    """Subject of sealed frame batches of one partition."""
    return f"dmz.frame.v1.{partition}"


def mark_subject(collector_id: int) -> str:
    """Subject of a collector's position: the last sequence of it that is in the stream.

    The gateway publishes a mark in the same atomic batch as the frames it speaks of, so on reconnection the newest
    mark tells exactly where the collector must resume.
    """
    return f"dmz.mark.v1.{collector_id}"


def health_subject(collector_id: int) -> str:
    """Subject of what the gateway says of a collector."""
    return f"dmz.health.v1.{collector_id}"


def directive_subject(kind: int, part: int) -> str:
    """Subject of one part of one kind of directive, both as numbers."""
    return f"dmz.directive.v1.{kind}.{part}"


def threshold_subject(gateway_id: int) -> str:
    """Subject of what a gateway says about thresholds."""
    return f"dmz.threshold.v1.{gateway_id}"


def airtime_subject(collector_id: int, part: int) -> str:
    """Subject of one part of what a collector's meters counted."""
    return f"dmz.airtime.v1.{collector_id}.{part}"


def reading_subject(partition: int) -> str:
    """Subject of decoded batches of one lease group of partitions; its lowest partition names it.

    The header ``Openami-Kind`` says ``reading`` or ``register``.
    """
    return f"core.reading.v1.{partition}"


def event_subject(partition: int) -> str:
    """Subject of device events of one partition."""
    return f"core.event.v1.{partition}"


def changed_subject(kind: str) -> str:
    """Subject that announces what a room has stored or altered: ``raw``, ``day``, ``registry`` or ``bill``."""
    return f"core.changed.v1.{kind}"
