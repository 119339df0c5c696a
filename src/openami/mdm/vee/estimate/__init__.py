"""Estimates of missing cells before scaling, one module a method, tried in one order."""

from openami.mdm.vee.estimate.cells import Estimate
from openami.mdm.vee.estimate.like_days import LOOK_BACK_DAYS
from openami.mdm.vee.estimate.order import estimated

__all__ = ["LOOK_BACK_DAYS", "Estimate", "estimated"]
