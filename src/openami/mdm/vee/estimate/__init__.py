"""Estimates of missing cells before scaling, one module a method, tried in one order."""

from openami.mdm.vee.estimate.cells import Estimate
from openami.mdm.vee.estimate.days import LOOK_BACK_DAYS
from openami.mdm.vee.estimate.order import DEFAULT_ORDER, Step, estimated, parse_order
from openami.mdm.vee.estimate.references import NO_REFERENCES, References

__all__ = [
    "DEFAULT_ORDER",
    "LOOK_BACK_DAYS",
    "NO_REFERENCES",
    "Estimate",
    "References",
    "Step",
    "estimated",
    "parse_order",
]
