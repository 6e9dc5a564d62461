"""NIfTI files whose header is rebuilt from what is known and whose bytes depend on nothing else."""

from pathlib import Path

import nibabel as nib
import numpy as np
from zlib_ng import zlib_ng

from efface.errors import EffaceError
from efface.files import PRIVATE_FILE, replacing

_CHUNK = 1 << 22
# What nibabel raises at a header that makes no image.
BROKEN = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)
# Member header of RFC 1952 without name, time or comment; operating system "unknown".
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def read(path: Path | str) -> nib.Nifti1Image:
    """Return the single-file NIfTI-1 or NIfTI-2 image at `path`, its voxels not yet read.

    Raises
    ------
    EffaceError
        When the file is not such an image.
    """
    try:
        image = nib.load(path)
    except (*BROKEN, EOFError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise EffaceError(
            "the image cannot be read", expected="a NIfTI file", found="something else"
        ) from None
    if not isinstance(image, nib.Nifti1Image):
        raise EffaceError("the image cannot be read", expected="a NIfTI file", found=type(image).__name__)
    return image


def stored(image: nib.Nifti1Image) -> np.ndarray:
    """Return the voxels as stored, before slope and intercept: (I, J, K[, T]) in the file's dtype."""
    proxy = image.dataobj
    return np.asanyarray(proxy.get_unscaled() if nib.is_proxy(proxy) else proxy)


def scaling(image: nib.Nifti1Image) -> tuple[float, float]:
    """Return slope and intercept, (1, 0) when the header gives none."""
    proxy = image.dataobj
    if nib.is_proxy(proxy):
        return float(proxy.slope), float(proxy.inter)
    return 1.0, 0.0


def header(
    shape: tuple[int, ...],
    dtype: np.dtype,
    world_from_voxel: np.ndarray,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    repetition_time_s: float = 0.0,
) -> nib.Nifti1Header:
    """Return a header with nothing in it but geometry, scaling and units.

    Parameters
    ----------
    shape : (I, J, K) or (I, J, K, T)
    dtype : the stored dtype
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm); written as sform and, where it has no shear, as
        qform, both with the code 1 (scanner).
    slope, intercept : float
        Value = stored * slope + intercept.
    repetition_time_s : float
        Seconds between volumes; 0 when not known.
    """
    head = nib.Nifti1Header(endianness="<")
    head.set_data_dtype(dtype)
    head.set_data_shape(shape)
    head.set_zooms([*nib.affines.voxel_sizes(world_from_voxel), repetition_time_s][: len(shape)])
    head.set_sform(world_from_voxel, 1)
    try:
        head.set_qform(world_from_voxel, 1, strip_shears=False)
    except nib.spatialimages.HeaderDataError:
        head["qform_code"] = 0  # a sheared grid has no quaternion
    head.set_xyzt_units("mm", "sec")
    head["scl_slope"], head["scl_inter"] = slope, intercept
    head["vox_offset"] = 352
    head["magic"] = b"n+1"
    return head


def write(
    path: Path | str, voxels: np.ndarray, head: nib.Nifti1Header, mode: int = PRIVATE_FILE, level: int = 5
) -> None:
    """Write stored voxels under a header to `path` (.nii or .nii.gz); the same input gives the same bytes.

    Parameters
    ----------
    voxels : (I, J, K[, T]) array in the header's dtype, before slope and intercept
    level : int
        Of compression; 1 is for files that do not live long.
    """
    blocks = [head.binaryblock + bytes(4)]
    flat = np.asarray(voxels, head.get_data_dtype()).reshape(-1, order="F").view(np.uint8)
    blocks += [flat[start : start + _CHUNK].data for start in range(0, flat.size, _CHUNK)]
    with replacing(path, mode) as beside, beside.open("wb") as stream:
        if not str(path).endswith(".gz"):
            stream.writelines(blocks)
            return
        deflate = zlib_ng.compressobj(level, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS)
        stream.write(_GZIP_HEADER)
        crc = size = 0
        for block in blocks:
            stream.write(deflate.compress(block))
            crc, size = zlib_ng.crc32(block, crc), size + len(block)
        stream.write(deflate.flush() + crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"))
