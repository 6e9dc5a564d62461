"""The release record: how a dataset was made, by which rules, what was measured and which risks remain.

Public, so nothing in it leads to a person, a place or a day; the same images give the same record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from efface import __version__
from efface.deidentification import METHODS
from efface.description import BIDS_VERSION, ages, days, labels
from efface.errors import EffaceError
from efface.policy import Key, Policy

RECORD = "release_record.json"
# Whose versions show in the bytes of volumes and headers.
_LIBRARIES = (
    *("dicom2nifti", "nibabel", "numpy", "pydicom", "pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"),
    *("scipy", "SimpleITK", "zlib-ng"),
)
_OF_METHODS = "Says which de-identification was done; the same for every person."
_OF_CONFIGURATION = "Stated by the study for all images of a kind; not read from headers."


def record(
    policy: Policy,
    config: Mapping,
    images: Sequence[Mapping],
    checks: Mapping[str, Mapping],
    decisions: Iterable[str],
    *,
    private: Iterable[Key] = (),
    reviewed: int = 0,
    smallest_cell: int | None = None,
) -> dict:
    """Return the record, which follows `workflow/schemas/record.schema.yaml`.

    Parameters
    ----------
    policy : Policy
        As loaded for the configuration's level.
    config : mapping
        The whole configuration, with its defaults.
    images : sequence of mapping
        Records of the plan of what is released, each with its `sidecar` as released.
    checks : mapping of str to mapping
        What was measured on each image, by its name.
    decisions : iterable of str
        What became of each series or image: release, held or dropped.
    private : iterable of Key
        Rules of private elements that profiles of scanners allow.
    reviewed : int
        How many of the images a person has looked at.
    smallest_cell : int, optional
        How few people share what is told of them.

    Raises
    ------
    EffaceError
        When a sidecar has a key that nobody has given a reason for, or an image was not measured.
    """
    if any(image["image"] not in checks for image in images):
        raise EffaceError("the release record", expected="measures of every image", found="an image without")
    measured = [checks[image["image"]] for image in images]
    became = Counter(decisions)
    codes = Counter(
        code["CodeValue"]
        for image in images
        for code in image["sidecar"].get("DeidentificationMethodCodeSequence", ())
    )
    suffixes = Counter(image["image"].rpartition("_")[2] for image in images)
    return {
        "efface": __version__,
        "bids": BIDS_VERSION,
        "libraries": _libraries(config["convert"]["engine"]),
        "policy": {
            "name": policy.name,
            "level": config["level"],
            "kept": [{"key": key, "reason": reason} for key, reason in _kept(policy, images, tuple(private))],
        },
        "deidentification": {
            "methods": [
                {"code": code, "meaning": METHODS[code], "images": codes[code]}
                for code in METHODS
                if codes[code]
            ],
            "mode": config["mode"],
            "told": [sentence for sentence in (labels(config), days(config), ages(config)) if sentence],
        },
        "defacing": _defacing(measured, config["deface"]),
        "counts": {
            "people": len({image["subject"] for image in images}),
            "sessions": len({(image["subject"], image["session"]) for image in images}),
            "images": [{"suffix": suffix, "images": suffixes[suffix]} for suffix in sorted(suffixes)],
            "held": became["held"],
            "dropped": became["dropped"],
        },
        "review": {"mode": config["review"]["mode"], "images": reviewed},
        "ethics_reference": bool(config["dataset"]["ethics"].strip()),
        "residual_risks": list(_risks(config, measured, smallest_cell)),
    }


def _libraries(engine: str) -> list[dict[str, str]]:
    found = []
    for name in (*_LIBRARIES, *["dcm2niix"] * (engine == "dcm2niix")):
        try:
            found.append({"name": name, "version": version(name)})
        except PackageNotFoundError:  # some decoders are optional
            continue
    return found


def _kept(policy: Policy, images: Sequence[Mapping], private: tuple[Key, ...]) -> list[tuple[str, str]]:
    """Return the keys that occur in sidecars, each with its reason; a private key has one a scanner."""
    reasons: dict[str, set[str]] = {}
    for key in (*policy.keys, *private):
        reasons.setdefault(key.name, set()).add(" ".join(key.reason.split()))
    kept = set()
    for image in images:
        for number, name in enumerate(image["sidecar"], 1):
            if name.startswith("DeidentificationMethod"):
                told = {_OF_METHODS}
            elif name in image["metadata"]:
                told = {_OF_CONFIGURATION}
            else:
                told = reasons.get(name, set())
            if not all(told) or not told:
                raise EffaceError(
                    f"the release record, key {number} of the sidecar of {image['image']}",
                    expected="a reason for every kept key",
                    found="none",
                    todo="give one in the policy",
                )
            kept |= {(name, reason) for reason in told}
    return sorted(kept)


def _defacing(measured: Sequence[Mapping], chosen: Mapping) -> dict[str, object]:
    methods = Counter(check["method"] for check in measured if check["decision"] == "defaced")
    surviving = [check["face_surface_surviving"] for check in measured]
    return {
        "methods": [{"method": name, "images": methods[name]} for name in sorted(methods)],
        "ears": chosen["ears"],
        "no_face_in_view": sum(check["decision"] == "no_face" for check in measured),
        "most_brain_voxels_changed": max((check["brain_voxels_changed"] for check in measured), default=0),
        "most_face_surface_surviving": max((share for share in surviving if share is not None), default=None),
        "searched_for_text": sum(map(_searched, measured)),
    }


def _searched(check: Mapping) -> bool:
    return bool(check.get("text", {}).get("searched"))


def _risks(config: Mapping, measured: Sequence[Mapping], smallest_cell: int | None) -> Iterable[str]:
    yield "De-identification lowers the risk that somebody is recognised; it cannot exclude it."
    ears = "" if config["deface"]["ears"] == "remove" else " Ears were kept, and people differ in them."
    yield (
        "What lies outside the masks stays: the shape of skull, forehead and neck, as far as it is in view. "
        f"A likely face can be guessed from it.{ears}"
    )
    yield "Brains differ from person to person: another scan of somebody may be matched with one of these."
    yield "Outside the masks voxels are as scanned: whoever has an original scan can tell that it is here."
    yield "A rare finding, operation or implant that is visible in a scan may be known to others."
    alone = "What is told of people and of scanners, taken together, may single somebody out."
    if smallest_cell is not None:
        alone += f" The smallest group of people who share all of it has {smallest_cell}."
    yield alone
    blind = sum(not _searched(check) for check in measured)
    if blind:
        yield (
            f"Pixels of {blind} of {len(measured)} images were not searched for text; what headers say of it "
            "was heeded."
        )
    if blind < len(measured):
        yield "The search for text in pixels can miss some."
    if config["mode"] != "anonymous" and config["identity"]["scheme"] != "random":
        yield "Labels lead back to people for whoever holds the key or the table of labels."
    if config["dates"]["mode"] in ("shift", "proportional"):
        yield "Intervals between sessions may be recognised by whoever knows when somebody was scanned."
