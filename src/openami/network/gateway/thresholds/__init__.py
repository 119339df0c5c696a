"""Thresholds of commands that change a customer's supply: warn, then keep aside (threshold anomaly detection).

The command process approves; this room counts, with no belief in who approved, so that even good approvals cannot
switch more than may be switched. What it counted is on disk before a command goes down, and survives a restart.
"""

from openami.network.gateway.thresholds.guard import SwitchingGuard

__all__ = ["SwitchingGuard"]
