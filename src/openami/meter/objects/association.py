"""The association objects: one per client, whose object list is made from the very tables that requests are held to.

Source: IEC 62056-6-2, 4.4.4 (association LN, version 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from openami.kernel.obis import Obis
from openami.meter.objects.model import MANAGEMENT, Attribute, Client, Clients, CosemObject, Method, cosem_object
from openami.meter.objects.values import enum, i8, name_of
from openami.protocol.apdu.acse import DLMS_VERSION, ApplicationContext, Conformance, Mechanism
from openami.protocol.association.ports import ActionRefusedError, ClientProfile
from openami.protocol.axdr import BitString, Data, Tag, array, null, octet_string, structure, u8, u16
from openami.protocol.cosem.reference import ActionResult

CURRENT_ASSOCIATION = "0.0.40.0.0.255"
SECURITY_SETUP = "0.0.43.0.0.255"
INSTANCE_OF: Mapping[Client, str] = MappingProxyType({
    Client.PUBLIC: "0.0.40.0.1.255",
    Client.READER: "0.0.40.0.2.255",
    Client.MANAGEMENT: "0.0.40.0.3.255",
})  # fmt: skip
_CONFORMANCE_BITS = 24
_ASSOCIATED = 2
_JOINT_ISO_CCITT = (u8(2), u8(16), u16(756), u8(5), u8(8))
"""Arcs 2 16 756 5 8 under which DLMS names its contexts (1) and mechanisms (2)."""


def object_list(objects: Iterable[CosemObject], client: int) -> Data:
    """Return the objects that a client may use, each with what it may do there."""
    return array(*(_element(o, client) for o in objects if o.is_shown_to(client)))


def _element(item: CosemObject, client: int) -> Data:
    # The logical name of what one may use may always be read.
    attributes = [structure(i8(1), enum(1), null())]
    attributes += [_attribute_right(a, client) for a in item.attributes.values()]
    methods = [structure(i8(m.index), enum(int(client in m.clients))) for m in item.methods.values()]
    rights = structure(array(*attributes), array(*methods))
    return structure(u16(item.class_id), u8(item.version), name_of(item.instance), rights)


def _attribute_right(attribute: Attribute, client: int) -> Data:
    mode = int(client in attribute.readers) | int(client in attribute.writers) << 1
    selectors = array(*(i8(s) for s in attribute.selectors)) if attribute.selectors and mode & 1 else null()
    return structure(i8(attribute.index), enum(mode), selectors)


def association_object(
    instance: str, client: Client, objects: Callable[[], Iterable[CosemObject]], *, profile: ClientProfile
) -> CosemObject:
    """Return the association of a client (class 15).

    Args:
        instance: logical name: the client's own, or that of the current association.
        client: whose.
        objects: all objects of the device.
        profile: what the client must show.
    """
    own: Clients = frozenset({client})
    readers = own | MANAGEMENT
    return cosem_object(
        15, 1, instance,
        [
            Attribute(2, lambda: object_list(objects(), client), readers),
            Attribute(3, lambda: structure(i8(client), u16(1)), readers),
            Attribute(4, lambda: _context(profile), readers),
            Attribute(5, lambda: _dlms_context(profile), readers),
            Attribute(6, lambda: structure(*_JOINT_ISO_CCITT, u8(2), u8(profile.mechanism)), readers),
            Attribute(8, lambda: enum(_ASSOCIATED), own),
            Attribute(9, lambda: name_of(Obis.from_text(SECURITY_SETUP)), readers),
        ],
        [Method(1, _answered_by_the_association, own)] if profile.mechanism >= Mechanism.HIGH else (),
    )  # fmt: skip


def _context(profile: ClientProfile) -> Data:
    context = ApplicationContext.LOGICAL_NAMES_CIPHERED if profile.control else ApplicationContext.LOGICAL_NAMES
    return structure(*_JOINT_ISO_CCITT, u8(1), u8(context))


def _dlms_context(profile: ClientProfile) -> Data:
    conformance = BitString(_CONFORMANCE_BITS, int(Conformance(profile.conformance)).to_bytes(3))
    size = u16(min(profile.max_pdu_octets, 0xFFFF))
    return structure(Data(Tag.BIT_STRING, conformance), size, size, u8(DLMS_VERSION), i8(0), octet_string(b""))


def _answered_by_the_association(_parameter: Data | None) -> Data | None:
    # reply_to_HLS_authentication never comes here: the association itself answers it, before anything else passes.
    raise ActionRefusedError(ActionResult.READ_WRITE_DENIED)
