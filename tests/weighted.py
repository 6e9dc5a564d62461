"""Headers of diffusion-weighted frames, as each vendor writes them."""

import struct

from pydicom.dataset import Dataset

AXIAL, SAGITTAL, CORONAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]
SLANTED = [0.36, 0.48, 0.8]


def header(manufacturer, orientation=AXIAL, **attributes):
    dataset = Dataset()
    dataset.Manufacturer = manufacturer
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.ImageOrientationPatient = [float(part) for part in orientation]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def ge(b_value, vector, orientation=AXIAL, axis="COL", **attributes):
    dataset = header("GE MEDICAL SYSTEMS", orientation, **attributes)
    if axis:
        dataset.InPlanePhaseEncodingDirection = axis
    dataset.add_new(0x00430010, "LO", "GEMS_PARM_01")
    dataset.add_new(0x00431039, "IS", [b_value, 8, 0, 0])
    for tag, part in zip((0x001910BB, 0x001910BC, 0x001910BD), vector, strict=True):
        dataset.add_new(tag, "DS", f"{part:.6f}")
    return dataset


def siemens(b_value, vector=None, **attributes):
    dataset = header("SIEMENS", **attributes)
    dataset.add_new(0x0019100C, "IS", str(b_value))
    if vector is not None:
        dataset.add_new(0x0019100E, "FD", list(vector))
    return dataset


def siemens_csa(**entries):
    """Return a header whose weighting is in the CSA image header only; entries are lists of texts."""
    data = b"SV10\4\3\2\1" + struct.pack("<II", len(entries), 77)
    for name, texts in entries.items():
        data += struct.pack("<64si4siii", name.encode(), len(texts), b"FD", 4, len(texts), 77)
        for text in texts:
            item = text.encode() + b"\0" * (4 - len(text) % 4)
            data += struct.pack("<iiii", len(item), len(item), 77, len(item)) + item
    dataset = header("SIEMENS", ImageType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"])
    dataset.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    dataset.add_new(0x00291010, "OB", data)
    return dataset


def uih(b_value, vector, orientation=AXIAL):
    dataset = header("UIH", orientation)
    dataset.add_new(0x00651009, "FD", b_value)
    dataset.add_new(0x00651037, "FD", list(vector))
    return dataset


def canon(comment, orientation=AXIAL, **attributes):
    return header("CANON_MEC", orientation, ImageComments=comment, DiffusionBValue=1500.0, **attributes)


def enhanced(*frames):
    """Return a multi-frame object whose frames are (b-value, directionality, vector)."""
    dataset = header("Philips Medical Systems")
    dataset.PerFrameFunctionalGroupsSequence = []
    for b_value, kind, vector in frames:
        macro, group, direction = Dataset(), Dataset(), Dataset()
        macro.DiffusionBValue, macro.DiffusionDirectionality = b_value, kind
        if vector is not None:
            direction.DiffusionGradientOrientation = list(vector)
            macro.DiffusionGradientDirectionSequence = [direction]
        group.MRDiffusionSequence = [macro]
        dataset.PerFrameFunctionalGroupsSequence.append(group)
    return dataset
