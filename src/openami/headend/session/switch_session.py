"""One session with a meter that is to be switched, and what each way in which it may fail says of the order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openami.contracts.command import Refusal
from openami.headend.command.switch_step import plain_step
from openami.headend.command.switching import LIST_CHANGED
from openami.headend.ports import DownlinkUnavailableError, SealingRefusedError, SealingUnavailableError
from openami.headend.profiles import MeterProfile, UnknownProfileError
from openami.headend.session.session import CONTROL, MANAGEMENT, SessionFailedError
from openami.headend.session.switch_ports import SwitchEngines, SwitchWay
from openami.headend.session.switching import LOAD_VOLTAGE_NAME, limit_load, switch_supply
from openami.headend.switching.life import Happened, ItemCode, Report, SwitchTurn
from openami.headend.switching.order import SwitchAction, SwitchSubject
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps

_HELD_BACK = frozenset({Refusal.QUARANTINED, Refusal.METER_CAP, Refusal.FEEDER_CAP, Refusal.OVER_RATE})
"""What the gateway holds back: it may pass later, by itself or because two people released it."""


@dataclass(slots=True)
class _Sent:
    """How far the command that switches came in this session."""

    was_before: bool
    noted: int = 0

    def note(self) -> None:
        self.noted += 1

    @property
    def perhaps(self) -> bool:
        """Whether it may have reached the meter."""
        return self.was_before or self.noted > 0

    @property
    def surely(self) -> bool:
        """Whether the meter has answered it, or an earlier session sent it."""
        return self.was_before or self.noted > 1


async def run_session(engines: SwitchEngines, way: SwitchWay, subject: SwitchSubject, turn: SwitchTurn) -> Happened:
    """Speak to a meter of an order and return what came of it. Raises nothing that an order must not survive.

    Args:
        engines: asks the command process first, before any air is used.
        way: to the meter.
        subject: action and reason.
        turn: where the meter stands.
    """
    sent = _Sent(turn.was_sent)
    try:
        profile = way.profile_of(turn.title)
        if profile is None:
            return Happened(Report.ENDED, ItemCode.NO_KEYS)
        if not turn.was_sent:
            step = plain_step(subject.action, subject.limit_w)
            # What comes is thrown away: the command process may refuse, and then nobody is called on the radio.
            await engines.sealing.seal(turn.title, step, control=CONTROL)
        operation = _operation(subject, profile, was_sent=turn.was_sent, note=sent.note)
        port = profile.clients.get("management", MANAGEMENT)
        return await way.sessions.run(turn.title, operation, port=port)
    except SessionFailedError as error:
        report, code = (Report.ENDED, ItemCode.METER_REFUSED) if error.is_final else (Report.NO_ANSWER, None)
        return Happened(report, code, str(error), sent.perhaps)
    except SealingRefusedError as error:
        return Happened(Report.ENDED, code_of(error, was_sent=sent.surely), was_sent=sent.surely)
    except DownlinkUnavailableError as error:
        return _not_handed_over(error, was_sent=sent.surely)
    except (SealingUnavailableError, UnknownProfileError) as error:
        return Happened(Report.LATER, words=str(error), was_sent=sent.surely)


def code_of(error: SealingRefusedError, *, was_sent: bool) -> ItemCode:
    """Return why the command process will not, as far as it says it.

    Args:
        error: its word.
        was_sent: whether the command has gone out before: then an order that is good no more has served.
    """
    if error.refusal is Refusal.BELOW_SECURITY_LEVEL:
        return ItemCode.LOW_SECURITY
    if error.refusal is Refusal.UNKNOWN_TITLE:
        return ItemCode.NO_KEYS
    if error.refusal is Refusal.BLOCKED:
        return ItemCode(str(error)) if str(error) in set(ItemCode) else ItemCode.HOLD
    if str(error) == LIST_CHANGED:
        return ItemCode.LIST_CHANGED
    return ItemCode.UNCONFIRMED if was_sent else ItemCode.NOT_APPROVED


def _not_handed_over(error: DownlinkUnavailableError, *, was_sent: bool) -> Happened:
    if error.refusal is Refusal.VALUE_BOUND:
        return Happened(Report.ENDED, ItemCode.THRESHOLD, str(error), was_sent)
    if error.refusal in _HELD_BACK:
        return Happened(Report.LATER, ItemCode.THRESHOLD, str(error), was_sent)
    # That no collector hears a meter is the meter's silence; anything else is ours, or asks for patience.
    report = Report.NO_ANSWER if error.refusal is Refusal.NO_ROUTE else Report.LATER
    return Happened(report, words=str(error), was_sent=was_sent)


def _operation(
    subject: SwitchSubject, profile: MeterProfile, *, was_sent: bool, note: Callable[[], None]
) -> Callable[[ClientAssociation], Steps[Happened]]:
    if subject.action is SwitchAction.LIMIT:
        return lambda client: limit_load(client, subject.limit_w, was_sent=was_sent, note=note)
    scale = profile.scale_of(LOAD_VOLTAGE_NAME)
    return lambda client: switch_supply(client, subject.action, load_voltage=scale, was_sent=was_sent, note=note)
