"""Files of intervals for others: pure writers from series to text, each value with its quality in the file's own codes.

Knows no person: places and meters are named by what the caller hands in. Every value is written or reported as held
back; nothing is left out silently.
"""

from openami.mdm.exporting.cim import as_cim
from openami.mdm.exporting.file import ExportError, ExportFile
from openami.mdm.exporting.greenbutton import as_greenbutton
from openami.mdm.exporting.nem12 import as_nem12
from openami.mdm.exporting.table import as_csv
from openami.mdm.exporting.write import FORMATS, as_file

__all__ = ["FORMATS", "ExportError", "ExportFile", "as_cim", "as_csv", "as_file", "as_greenbutton", "as_nem12"]
