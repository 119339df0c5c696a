"""Files of readings by the same door as meters: pure parsers from bytes to series, whole file or nothing."""

from openami.mdm.importing.detect import parse_file
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import ImportedFile, ImportedSeries, SkippedSeries

__all__ = ["FileRefusedError", "ImportedFile", "ImportedSeries", "SkippedSeries", "parse_file"]
