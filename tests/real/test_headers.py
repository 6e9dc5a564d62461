"""The quick reader of headers gives what pydicom gives, on every real file."""

import pydicom

from efface.convert import diffusion, mosaic, phase, timing
from efface.convert.frames import WANTED
from efface.headers import Reader

KEPT = ("SOPClassUID", *WANTED, *diffusion.WANTED, *phase.WANTED, *timing.WANTED, *mosaic.KEYWORDS)


def test_every_file_is_read_as_pydicom_reads_it(real_scans):
    count = 0
    for folder in sorted({path.parent for path in real_scans.rglob("*") if path.is_file()}):
        reader = Reader(KEPT)
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            try:
                expected = pydicom.dcmread(path, force=True, specific_tags=list(KEPT))
            except Exception:  # no DICOM at all
                continue
            if "SOPClassUID" in expected:
                found = reader(path)
                assert set(found.keys()) == set(expected.keys()), folder.name
                assert all(found[tag] == expected[tag] for tag in expected.keys()), folder.name  # noqa: SIM118
                count += 1
    assert count > 1000
