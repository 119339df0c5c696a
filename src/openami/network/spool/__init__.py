"""A collector's spool: frames on disk from the moment they are taken until the stream has them.

Frames wait in one *line* per class (last gasp, alarm, profile, response), in append-only segment files. A frame has
no sequence number while it waits. When the link can take more, :meth:`Spool.plan` takes whole groups from the lines,
most urgent class first, gives them the next link sequences, and writes that decision to the *order log*; only after
the order log is on disk may the frames be sent. So a late last gasp overtakes waiting profiles, and still every
sequence number names one frame for ever, also after ``kill -9``: ACK n frees exactly the frames planned up to n.
"""

from openami.network.spool.errors import SpoolError, SpoolFullError
from openami.network.spool.order import Run
from openami.network.spool.spool import MAX_SPOOL_OCTETS, DiskSync, Spool

__all__ = ["MAX_SPOOL_OCTETS", "DiskSync", "Run", "Spool", "SpoolError", "SpoolFullError"]
