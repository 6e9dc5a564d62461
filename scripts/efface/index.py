"""What is in a folder of DICOM: one pass over all headers, no pixels, every file accounted for."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

import efface.dicom  # noqa: F401 (it silences pydicom, whose complaints quote values)
from efface.errors import EffaceError
from efface.identifiers import Identifier
from efface.identity import normalised
from efface.series import Series

ERASED = "of a person who was erased"
_CHUNK = 64
_DAMAGED = "damaged or truncated DICOM file: copy it again or remove it"
_DICOMDIR = "1.2.840.10008.1.3.10"
_ARCHIVES = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"BZh": "bzip2"}
# Values that a sidecar may show: text elements that merely repeat them are no identifiers.
_SHOWN = ("Manufacturer", "ManufacturerModelName", "BodyPartExamined", "SequenceName", "ScanningSequence")
_WEAK = ("text", "private", "device")


@dataclass
class Skipped:
    """A file that is in no series: why, and whether a person must look at it."""

    path: str
    reason: str
    held: bool


def _nobody(source_id: str) -> bool:
    return False


def index(
    folder: Path | str,
    workers: int = 1,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
    erased: Callable[[str], bool] = _nobody,
) -> tuple[dict[str, Series], list[Skipped]]:
    """Read every header below a folder.

    Parameters
    ----------
    folder : Path
        Of DICOM files with any names at any depth.
    workers : int
        Processes.
    on_progress : callable
        Gets the number of files read and of all files.
    erased : callable
        Says of a normalised PatientID whether the person was erased. Of these files only the number is told.

    Returns
    -------
    series : dict of str to Series
        By SeriesInstanceUID; files that have none are gathered by folder.
    skipped : list of Skipped

    Raises
    ------
    EffaceError
        When the folder is absent, holds no file, or holds a file or folder that may not be read.
    """
    folder = Path(folder)
    paths, skipped = _files(folder)
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    series: dict[str, Series] = {}
    done = 0
    for chunk, (found, passed_over) in zip(
        chunks, _in_processes(folder, chunks, workers, erased), strict=True
    ):
        skipped += passed_over
        for uid, part in found.items():
            series.setdefault(uid, Series()).merge(part)
        done += len(chunk)
        on_progress(done, len(paths))
    # Their paths may name them.
    kept = [one for one in skipped if one.reason != ERASED]
    if left_out := len(skipped) - len(kept):
        kept.append(Skipped(f"{left_out} files", ERASED, False))
    return series, kept


def looked_for(by_uid: dict[str, Series]) -> dict[str, list[Identifier]]:
    """Return the identifiers of each series, sorted, without repetitions of what a sidecar may show."""
    parts = [part for series in by_uid.values() for part in series.parts]
    attributes = [part.attributes.get(keyword, ()) for part in parts for keyword in _SHOWN]
    shown = {value.casefold() for values in attributes for value in values}
    return {
        uid: sorted(
            one for one in series.identifiers if one.kind not in _WEAK or one.value.casefold() not in shown
        )
        for uid, series in by_uid.items()
    }


def _files(folder: Path) -> tuple[list[str], list[Skipped]]:
    if not folder.is_dir():
        raise EffaceError("the input", expected="a folder of DICOM files", found="no such folder")
    skipped: list[Skipped] = []
    paths: list[str] = []
    unreadable: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=unreadable.append):
        folders.sort()
        for name in folders:
            if Path(root, name).is_symlink():
                skipped.append(Skipped(os.path.relpath(f"{root}/{name}", folder), "link to a folder", True))
        paths += [os.path.relpath(f"{root}/{name}", folder) for name in names]
    if unreadable:
        _refuse_unreadable(len(unreadable), "folders")
    if not paths:
        raise EffaceError("the input folder is empty", todo="give the folder that holds the DICOM files")
    return sorted(paths), skipped


def _refuse_unreadable(count: int, what: str) -> None:
    raise EffaceError(
        f"{count} {what} in the input cannot be read",
        expected="read permission on every file and folder",
        todo="change the permissions or leave them out of the input",
    )


def _in_processes(
    folder: Path, chunks: list[list[str]], workers: int, erased: Callable[[str], bool]
) -> Iterator[tuple]:
    if workers <= 1 or len(chunks) == 1:
        yield from (_read_chunk(folder, chunk, erased) for chunk in chunks)
        return
    with ProcessPoolExecutor(min(workers, len(chunks))) as pool:
        yield from pool.map(_read_chunk, [folder] * len(chunks), chunks, [erased] * len(chunks))


def _read_chunk(
    folder: Path, paths: list[str], erased: Callable[[str], bool]
) -> tuple[dict[str, Series], list[Skipped]]:
    found: dict[str, Series] = {}
    skipped: list[Skipped] = []
    unreadable = 0
    for path in paths:
        try:
            header = _header(folder / path)
        except OSError:
            unreadable += 1
            continue
        if isinstance(header, str):
            skipped.append(Skipped(path, header, not header.startswith("not DICOM")))
            continue
        if any(map(erased, _people(header))):
            skipped.append(Skipped("", ERASED, False))
            continue
        uid = str(header.get("SeriesInstanceUID", "")) or f"none:{Path(path).parent}"
        found.setdefault(uid, Series()).add(header, path)
    if unreadable:
        _refuse_unreadable(unreadable, "files")
    for one in found.values():
        one.forget()
    return found, skipped


def _people(header: Dataset) -> set[str]:
    """Return the normalised PatientID, and each of several: PS3.6 allows one, scanners write more."""
    try:
        value = header.get("PatientID", "")
    except Exception:  # what cannot be read here cannot be read as whose scan it is either
        return set()
    values = [value] if isinstance(value, str) or value is None else list(value)
    texts = [str(one or "") for one in values]
    return {normalised(text) for text in [*texts, "\\".join(texts)]} - {""}


def _header(path: Path) -> Dataset | str:
    """Return the header of a file, or why there is none."""
    with path.open("rb") as stream:
        start = stream.read(132)
        stream.seek(0)
        for magic, name in _ARCHIVES.items():
            if start.startswith(magic):
                # An image in NIfTI or a packed text is no scan from a scanner; a zip may hold a whole series.
                packed_scan = name != "gzip" or ".nii" not in path.name
                return f"{name} archive: unpack it or remove it" if packed_scan else "not DICOM"
        # Without a preamble (PS3.10 7.1) a data set starts with group 0002 or 0008, little or big-endian.
        bare = start[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08")
        if start[128:132] != b"DICM" and not bare:
            return "not DICOM"
        try:
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=bare)
            directory = header.file_meta.get("MediaStorageSOPClassUID") == _DICOMDIR
            image = bool(header.get("SOPClassUID")) and header.get("SeriesInstanceUID", "") is not None
        except Exception:  # a damaged file makes pydicom raise anything, with a text that quotes the file
            return _DAMAGED
    if directory:
        return "not DICOM image: DICOMDIR"
    if not image:
        return "not DICOM" if bare else _DAMAGED
    return header
