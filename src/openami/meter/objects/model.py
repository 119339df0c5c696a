"""What an object is: numbered attributes and methods, each with the clients that may use it. Nobody else may.

The list of objects that an association shows and the check that a request meets are both made from these tables, so
that one cannot promise what the other refuses.
Source: IEC 62056-6-2, 4 (interface classes, access rights).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from openami.kernel.errors import MisuseError
from openami.kernel.obis import Obis
from openami.meter.objects.shapes import Shape
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import Selection


class Client(IntEnum):
    """Client addresses that a meter knows."""

    MANAGEMENT = 1
    PUBLIC = 16
    READER = 32


Clients: TypeAlias = frozenset[Client]
NOBODY: Clients = frozenset()
EVERYBODY: Clients = frozenset(Client)
READERS: Clients = frozenset({Client.READER, Client.MANAGEMENT})
MANAGEMENT: Clients = frozenset({Client.MANAGEMENT})

Read: TypeAlias = Callable[[], Data]
SelectiveRead: TypeAlias = Callable[[Selection], Data]
Call: TypeAlias = Callable[[Data | None], Data | None]


@dataclass(frozen=True, slots=True)
class Writing:
    """How an attribute is written.

    Args:
        shape: what a value must be; nothing else is taken.
        store: takes the value after the shape has.
        clients: who may.
    """

    shape: Shape
    store: Callable[[Data], None]
    clients: Clients = MANAGEMENT


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Args:
        index: its number.
        read: gives the value.
        readers: who may read it.
        writing: how it is written; None where nobody may.
        select: gives a part of the value.
        selectors: numbers of the selective accesses that it has.
    """

    index: int
    read: Read
    readers: Clients
    writing: Writing | None = None
    select: SelectiveRead | None = None
    selectors: tuple[int, ...] = ()

    @property
    def writers(self) -> Clients:
        """Who may write it."""
        return self.writing.clients if self.writing else NOBODY


@dataclass(frozen=True, slots=True)
class Method:
    """One method."""

    index: int
    call: Call
    clients: Clients = MANAGEMENT


@dataclass(frozen=True, slots=True)
class CosemObject:
    """One object; attribute 1 is its logical name.

    Args:
        class_id: interface class.
        version: version of the class.
        instance: logical name.
        attributes: its attributes from 2 on, by number.
        methods: its methods, by number.
    """

    class_id: int
    version: int
    instance: Obis
    attributes: Mapping[int, Attribute]
    methods: Mapping[int, Method]

    def is_shown_to(self, client: int) -> bool:
        """Whether the client may do anything with it."""
        return any(client in a.readers or client in a.writers for a in self.attributes.values()) or any(
            client in m.clients for m in self.methods.values()
        )


def cosem_object(
    class_id: int, version: int, instance: str, attributes: Sequence[Attribute], methods: Sequence[Method] = ()
) -> CosemObject:
    """Return an object.

    Args:
        class_id: interface class.
        version: version of the class.
        instance: logical name as text.
        attributes: all but the logical name.
        methods: those that the meter has.

    Raises:
        MisuseError: one number twice, or a logical name of one's own.
    """
    by_index = {a.index: a for a in attributes}
    methods_by_index = {m.index: m for m in methods}
    if len(by_index) != len(attributes) or len(methods_by_index) != len(methods) or 1 in by_index:
        raise MisuseError(f"an attribute or method of {instance} is there twice")
    return CosemObject(class_id, version, Obis.from_text(instance), by_index, methods_by_index)
