"""Reads of service points that no network reads: by drive-by, by hand, by the customer. Judged, estimated, kept."""
