"""A device: its objects behind the port that an association calls. Who has no right to an object does not see it.

Every request meets the same tables that the object list is made from. Nothing that a client sends raises anything but
the two refusals of the port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openami.kernel.errors import MisuseError
from openami.kernel.obis import Obis
from openami.meter.objects.association import CURRENT_ASSOCIATION
from openami.meter.objects.model import Attribute, Client, CosemObject
from openami.meter.objects.values import name_of
from openami.protocol.association.ports import (
    AccessRefusedError,
    ActionRefusedError,
    ClientProfile,
    SecurityIncident,
)
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection

_LOGICAL_NAME = 1


class CosemDevice:
    """A device of objects. It is the port ``protocol.association.ports.Device``.

    Args:
        objects: its objects, but for the current association.
        current: the association object of each client, which answers to the name of the current association.
        profiles: what each client must show.
        report: hears of attacks.

    ``changes`` counts the writes and calls that were let through, so that whoever keeps the state knows when to.

    Raises:
        MisuseError: two objects of one name.
    """

    __slots__ = ("_by_name", "_current", "_profiles", "_report", "changes", "objects")

    def __init__(
        self,
        objects: Sequence[CosemObject],
        *,
        current: Mapping[Client, CosemObject],
        profiles: Mapping[Client, ClientProfile],
        report: Callable[[SecurityIncident], None],
    ) -> None:
        self.objects = tuple(objects)
        self._by_name = {o.instance: o for o in self.objects}
        self._current = {int(c): o for c, o in current.items()}
        self._profiles = {int(c): p for c, p in profiles.items()}
        self._report = report
        self.changes = 0
        if len(self._by_name) != len(self.objects):
            raise MisuseError("two objects have one logical name")

    def client_profile(self, client: int) -> ClientProfile | None:
        """Return what a client address must show; None where no such client is known."""
        return self._profiles.get(client)

    def read(self, client: int, attribute: AttributeRef, selection: Selection | None) -> Data:
        """Return the value of an attribute.

        Raises:
            AccessRefusedError: no such object, no right, or a selection that means nothing here.
        """
        item = self._object(client, attribute.class_id, attribute.instance)
        if attribute.attribute == _LOGICAL_NAME and selection is None:
            return name_of(item.instance)
        found = item.attributes.get(attribute.attribute)
        if found is None or client not in found.readers:
            raise AccessRefusedError(DataAccessResult.READ_WRITE_DENIED)
        if selection is None:
            return found.read()
        if found.select is None:
            raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return found.select(selection)

    def write(self, client: int, attribute: AttributeRef, selection: Selection | None, value: Data) -> None:
        """Set an attribute.

        Raises:
            AccessRefusedError: no such object, no right, or a value that does not fit.
        """
        item = self._object(client, attribute.class_id, attribute.instance)
        found = item.attributes.get(attribute.attribute)
        if found is None or found.writing is None or client not in found.writers:
            raise AccessRefusedError(DataAccessResult.READ_WRITE_DENIED)
        if selection is not None:
            raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        found.writing.shape.check(value)
        self.changes += 1
        found.writing.store(value)

    def invoke(self, client: int, method: MethodRef, parameter: Data | None) -> Data | None:
        """Call a method and return its value, if it has one.

        Raises:
            ActionRefusedError: no such method, no right, or a parameter that does not fit.
        """
        try:
            item = self._object(client, method.class_id, method.instance)
        except AccessRefusedError as error:
            raise ActionRefusedError(ActionResult(error.result)) from None
        found = item.methods.get(method.method)
        if found is None or client not in found.clients:
            raise ActionRefusedError(ActionResult.READ_WRITE_DENIED)
        self.changes += 1
        return found.call(parameter)

    def report(self, client: int, incident: SecurityIncident) -> None:  # noqa: ARG002 - the log has no client column
        """Write down what somebody tried."""
        self._report(incident)

    def attributes(self) -> list[tuple[CosemObject, Attribute]]:
        """Return every attribute of every object, logical names left out."""
        return [(o, a) for o in (*self._current.values(), *self.objects) for a in o.attributes.values()]

    def _object(self, client: int, class_id: int, instance: Obis) -> CosemObject:
        item = self._by_name.get(instance)
        if str(instance) == CURRENT_ASSOCIATION:
            item = self._current.get(client)
        if item is None or not item.is_shown_to(client):
            raise AccessRefusedError(DataAccessResult.OBJECT_UNDEFINED)
        if item.class_id != class_id:
            raise AccessRefusedError(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
        return item
