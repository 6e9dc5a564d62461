"""efface: head scans in DICOM to a BIDS release that can be shared, with proof."""

__version__ = "0.1.0"
