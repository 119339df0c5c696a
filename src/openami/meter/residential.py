"""The objects of our meter: 240 V, two elements, one remote disconnect switch, quarter-hours, no name of anybody.

Source: the object model of IEC 62056-6-2 with IDIS names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from openami.kernel.time import epoch_s
from openami.meter.device import CosemDevice
from openami.meter.events import EventCode
from openami.meter.objects.association import CURRENT_ASSOCIATION, INSTANCE_OF, association_object
from openami.meter.objects.basic import data_object, opaque, sap_assignment
from openami.meter.objects.clock import Clock, clock_object
from openami.meter.objects.image import ImageEvent, image_object
from openami.meter.objects.model import EVERYBODY, Client, CosemObject
from openami.meter.objects.push import push_setup_object
from openami.meter.objects.security import KeyHolder, security_setup_object
from openami.meter.objects.switch import Order, limiter_object, switch_object
from openami.meter.ports import MeterBody
from openami.meter.residential_alarms import alarm_objects
from openami.meter.residential_measures import measure_objects
from openami.meter.residential_profiles import profile_objects
from openami.meter.residential_schedules import schedule_objects
from openami.meter.state import DeviceState
from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.association.ports import ClientProfile
from openami.protocol.axdr import octet_string, u8, u16, u32
from openami.protocol.envelope.ports import DLMS_TCP_PORT

MODEL = b"240"
MAX_PDU_OCTETS = 1_024
"""What the meter takes and gives at once; longer values go in blocks."""
_SERVICES = (
    Conformance.GENERAL_PROTECTION
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_SET
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.ACCESS
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.ACTION
)
_PUBLIC_SERVICES = Conformance.GET | Conformance.BLOCK_TRANSFER_WITH_GET
_AUTHENTICATED_AND_ENCRYPTED = 0x30
PROFILES: Mapping[Client, ClientProfile] = MappingProxyType({
    Client.PUBLIC: ClientProfile(Mechanism.NONE, _PUBLIC_SERVICES, MAX_PDU_OCTETS),
    Client.READER: ClientProfile(Mechanism.HIGH_GMAC, _SERVICES, MAX_PDU_OCTETS, _AUTHENTICATED_AND_ENCRYPTED),
    Client.MANAGEMENT: ClientProfile(Mechanism.HIGH_GMAC, _SERVICES, MAX_PDU_OCTETS, _AUTHENTICATED_AND_ENCRYPTED),
})  # fmt: skip
_EVENT_OF_ORDER = MappingProxyType({
    Order.REMOTE_DISCONNECT: EventCode.REMOTE_DISCONNECT,
    Order.REMOTE_RECONNECT: EventCode.REMOTE_CONNECT,
    Order.MANUAL_DISCONNECT: EventCode.MANUAL_DISCONNECT,
    Order.MANUAL_RECONNECT: EventCode.MANUAL_CONNECT,
    Order.LOCAL_DISCONNECT: EventCode.LOCAL_DISCONNECT,
})  # fmt: skip
_EVENT_OF_IMAGE = MappingProxyType({
    ImageEvent.READY: EventCode.FIRMWARE_READY,
    ImageEvent.ACTIVATED: EventCode.FIRMWARE_ACTIVATED,
    ImageEvent.REFUSED: EventCode.DECRYPTION_FAILED,
})  # fmt: skip


def residential_device(body: MeterBody, state: DeviceState) -> CosemDevice:
    """Return the device of a meter.

    Args:
        body: what it measures and does.
        state: what it remembers.
    """
    objects: list[CosemObject] = []
    current: dict[Client, CosemObject] = {}

    def association(instance: str, client: Client) -> CosemObject:
        profile = PROFILES[client]
        return association_object(instance, client, lambda: [current[client], *objects], profile=profile)

    current |= {client: association(CURRENT_ASSOCIATION, client) for client in PROFILES}
    objects += [
        *(association(INSTANCE_OF[client], client) for client in PROFILES),
        *_identification(body, state),
        *_services(body, state),
        *measure_objects(body, state),
        *profile_objects(body, state),
        *alarm_objects(body, state),
    ]
    return CosemDevice(objects, current=current, profiles=PROFILES, report=body.note_incident)


def carry_out(body: MeterBody, state: DeviceState, order: Order) -> bool:
    """Carry out an order on the switch, write it down, and return whether the state changed."""
    was_closed = state.switch.is_closed
    if not state.switch.order(order):
        return False
    if state.switch.is_closed is not was_closed:
        state.output_changed_s = epoch_s(body.shows())
    event = _EVENT_OF_ORDER.get(order)
    if event is not None:
        body.note(event)
    return True


def logical_device_name(body: MeterBody) -> bytes:
    """Return 16 octets: FLAG letters, the maker's number of the system title in hexadecimal, the model."""
    title = body.identity().title.octets
    return title[:3] + title[3:].hex().upper().encode() + MODEL


def _identification(body: MeterBody, state: DeviceState) -> list[CosemObject]:
    """Return what tells which device this is; none of it can be written."""

    def serial() -> bytes:
        return str(body.identity().title).upper().encode()

    return [
        data_object("0.0.42.0.0.255", lambda: octet_string(logical_device_name(body)), readers=EVERYBODY),
        data_object("0.0.96.1.0.255", lambda: octet_string(serial())),
        data_object("1.0.0.2.0.255", lambda: octet_string(state.image.active)),
        sap_assignment(lambda: logical_device_name(body), readers=EVERYBODY),
        data_object("0.0.43.1.0.255", lambda: u32(body.client_counter()), readers=EVERYBODY),
    ]


def _services(body: MeterBody, state: DeviceState) -> list[CosemObject]:
    """Return clock, security, switch, limiter, firmware, push setups and what lies under them."""
    clock = Clock(body.zone, body.shows, body.is_clock_valid, body.set_clock)
    nothing = octet_string(b"")
    return [
        clock_object(clock),
        security_setup_object(KeyHolder(body.identity, body.replace_identity)),
        switch_object(state.switch, lambda order: carry_out(body, state, order)),
        limiter_object(state.limiter, lambda: body.note(EventCode.LIMITER_CHANGED)),
        image_object(state.image, lambda event: body.note(_EVENT_OF_IMAGE[event])),
        *(push_setup_object(setup, body.push_now) for setup in state.setups),
        *schedule_objects(state),
        # TCP-UDP setup: the port, the radio under it (no IP object of its own), segment size, one session, no time-out.
        opaque(41, 0, "0.0.25.0.0.255", [u16(DLMS_TCP_PORT), nothing, u16(576), u8(1), u16(0)]),
    ]
