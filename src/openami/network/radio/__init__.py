"""The mesh between meters and their collector: who hears whom, what the air does to a frame, who was on it how long.

Pure: positions, dice and time are arguments. Frames are octet counts here; what they hold is nobody's business. Node 0
of a mesh is the collector, nodes 1 to n are devices.
"""

from openami.network.radio.air import Air, Arrival, Parcel
from openami.network.radio.airtime import AirtimeCounters, AirUse, DayUse
from openami.network.radio.crossing import Crossing, cross
from openami.network.radio.mesh import Mesh, plan_mesh
from openami.network.radio.signal import frame_us
from openami.network.radio.spread import spread_window_s

__all__ = [
    "Air",
    "AirUse",
    "AirtimeCounters",
    "Arrival",
    "Crossing",
    "DayUse",
    "Mesh",
    "Parcel",
    "cross",
    "frame_us",
    "plan_mesh",
    "spread_window_s",
]
