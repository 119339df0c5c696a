"""What the pushes of each meter model mean, as data: layouts in TOML files, one small interpreter, one fast path.

Source of the layouts: captured telegrams and the makers' interface descriptions, see each file in ``data``;
our own meter's are in ``docs/protocol/push-layouts.md``.
"""

from openami.headend.profiles.fast import FastLayouts, PushColumns, decode_batch
from openami.headend.profiles.interpret import Push, PushObject, PushRow, interpret
from openami.headend.profiles.model import MeterProfile, PushKind
from openami.headend.profiles.registry import UnknownProfileError, load_profiles, profile_names, profile_of
from openami.headend.profiles.rows import EventRow, IntervalRow, PushRows, RegisterRow, rows_of

__all__ = [
    "EventRow",
    "FastLayouts",
    "IntervalRow",
    "MeterProfile",
    "Push",
    "PushColumns",
    "PushKind",
    "PushObject",
    "PushRow",
    "PushRows",
    "RegisterRow",
    "UnknownProfileError",
    "decode_batch",
    "interpret",
    "load_profiles",
    "profile_names",
    "profile_of",
    "rows_of",
]
