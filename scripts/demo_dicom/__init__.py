"""DICOM of two invented people, as scanners write it, with identifiers planted in every kind of place."""
