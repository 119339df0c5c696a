"""Faults of metering, put into clean readings on purpose: the measure of what validation finds.

Kinds and severities stand as a table in :mod:`kinds`; it was written before any threshold of validation was tuned, and
the dice that place a fault never look at a rule.

Source: issue list of silent faults in the research note on utility practice; CPUC Attachment VEE; Oracle and Itron
catalogues.
"""

from openami.sim.faults.metering.inject import Injection, inject, planned
from openami.sim.faults.metering.kinds import FAULTS, Fault, FaultKind
from openami.sim.faults.metering.scene import Facts, MeterEvent, Readings, Registers, Scene, Stray, clean_scene

__all__ = [
    "FAULTS",
    "Facts",
    "Fault",
    "FaultKind",
    "Injection",
    "MeterEvent",
    "Readings",
    "Registers",
    "Scene",
    "Stray",
    "clean_scene",
    "inject",
    "planned",
]
