"""The sidecar of one image: only what the policy allows, read by full path, in BIDS's units."""

from collections.abc import Sequence
from dataclasses import replace

import pydicom

from efface import privates
from efface.convert import Conversion
from efface.dicom import frame_value, numbers
from efface.errors import Held
from efface.policy import Key, Policy
from efface.scanners import Private

RESAMPLING = "linear, onto an upright and even grid"
_ECHO_PLANAR = ("func", "dwi", "fmap", "perf")  # datatypes that phase encoding and slice timing matter to
# What BIDS 1.11 requires of a sidecar, by suffix.
_REQUIRED = {
    "bold": ("RepetitionTime", "TaskName"),
    "MP2RAGE": ("RepetitionTimeExcitation", "RepetitionTimePreparation", "NumberShots"),
    "phasediff": ("EchoTime1", "EchoTime2"),
    "phase1": ("EchoTime",),
    "phase2": ("EchoTime",),
    "fieldmap": ("Units",),
    "epi": ("PhaseEncodingDirection", "TotalReadoutTime"),
    "asl": (
        "MagneticFieldStrength",
        "MRAcquisitionType",
        "EchoTime",
        "RepetitionTimePreparation",
        "ArterialSpinLabelingType",
        "PostLabelingDelay",
        "BackgroundSuppression",
        "M0Type",
        "TotalAcquiredPairs",
    ),
    "pet": (
        "TracerName",
        "TracerRadionuclide",
        "InjectedRadioactivity",
        "InjectedRadioactivityUnits",
        "InjectedMass",
        "InjectedMassUnits",
        "SpecificRadioactivity",
        "SpecificRadioactivityUnits",
        "ModeOfAdministration",
        "TimeZero",
        "ScanStart",
        "InjectionStart",
        "FrameTimesStart",
        "FrameDuration",
        "AcquisitionMode",
        "ImageDecayCorrected",
        "ImageDecayCorrectionTime",
        "ReconMethodName",
        "ReconMethodParameterLabels",
        "ReconFilterType",
        "AttenuationCorrection",
        "Manufacturer",
        "ManufacturersModelName",
        "Units",
    ),
}


def describe(
    conversion: Conversion, plan: dict, policy: Policy, *, complete: bool = True
) -> dict[str, object]:
    """Return the sidecar's content.

    Parameters
    ----------
    plan : dict
        `suffix` says what is required; `metadata` (the configuration's own values) is merged last.
    complete : bool
        Whether what BIDS requires must be there.

    Raises
    ------
    Held
        When BIDS requires what neither the headers nor the configuration give.
    """
    modality = conversion.headers[0].get("Modality")
    computed = _computed(conversion, plan)
    sidecar: dict[str, object] = {}
    for key in policy.keys:
        if modality not in key.modalities:
            continue
        if key.name in computed:
            shown = _published(computed[key.name], replace(key, scale=1.0))  # in BIDS's units already
        elif key.type == "numbers" and conversion.voxels.ndim == 4:
            shown = None  # one number for each volume, and headers hold one for each frame
        else:
            shown = _published(_one_value(conversion, key), key)
        if shown is not None:
            sidecar[key.name] = shown
    sidecar |= plan.get("metadata", {})
    absent = [name for name in _REQUIRED.get(plan.get("suffix"), ()) if name not in sidecar]
    if absent and complete:
        raise Held(
            f"BIDS requires {', '.join(absent)} for {plan['suffix']}",
            found="neither header nor configuration with it",
            todo="give it in the configuration's metadata",
        )
    return sidecar


def private(conversion: Conversion, allowed: Sequence[Private]) -> dict[str, object]:
    """Return what private elements that a scanner's profile allows say, where all frames say the same.

    Parameters
    ----------
    allowed : sequence of Private
        The elements that the profile allows; the conversion's headers must hold what `privates.wanted` says.
    """
    headers, shown = conversion.headers, {}
    for rule in allowed:
        found = {privates.value(headers[frame.source], rule, frame.number) for frame in conversion.frames}
        value = _published(found.pop(), rule.key) if len(found) == 1 else None
        if value is not None:
            shown[rule.key.name] = value
    return shown


def _computed(conversion: Conversion, plan: dict) -> dict[str, object]:
    """Return what the conversion knows better than one attribute, in BIDS's units."""
    known: dict[str, object] = dict(plan.get("examination", {}))
    if conversion.engine == "resampled":
        known["Resampling"] = RESAMPLING
    if conversion.starts_s:
        known["FrameTimesStart"] = conversion.starts_s
    if conversion.durations_s:
        known["FrameDuration"] = conversion.durations_s
    if plan.get("suffix") == "bold":
        # BIDS: RepetitionTime equals pixdim[4].
        known["RepetitionTime"] = conversion.repetition_time_s or None
    if plan.get("datatype") in _ECHO_PLANAR:
        known |= conversion.phase_encoding | {"SliceTiming": conversion.slice_times_s or None}
    if plan.get("suffix") == "fieldmap" and (plan.get("part") or {}).get("GEMap"):
        known["Units"] = "Hz"  # GE's B0 mapping sequences give nothing else, and their headers do not say so
    if plan.get("entities", {}).get("part") == "phase":
        known["Units"] = "arbitrary"  # scanners scale phase as they like, and headers seldom say how
    return known


def _one_value(conversion: Conversion, key: Key) -> object:
    """Return the value that all frames share, None when there is none or they differ."""
    headers = conversion.headers
    for path in key.sources:
        # Outside of functional groups a file has one value.
        places = {(frame.source, frame.number if "." in path else 0) for frame in conversion.frames}
        found = {_plain(frame_value(headers[source], path, number)) for source, number in places}
        if found - {None}:
            return found.pop() if len(found) == 1 else None
    return None


def _plain(value: object) -> object:
    if isinstance(value, pydicom.multival.MultiValue):
        return tuple(map(str, value))
    return None if value is None else str(value)


def _published(value: object, key: Key) -> object:
    """Return what may be shown of a value, None when any part of it may not."""
    if value is None:
        return None
    several = list(value) if isinstance(value, (tuple, list)) else [value]
    if key.type in ("text", "texts"):
        parts = [key.text(part) for part in several]
    else:
        parts = [key.number(part) for part in numbers(several)]
    if not parts or None in parts:
        return None
    if key.type == "numbers":
        return parts
    if len(parts) == 1:
        return parts[0]
    return parts if key.type == "texts" else None
