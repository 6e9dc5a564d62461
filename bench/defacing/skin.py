"""Where a head's recognisable skin is: by points on its face, without a template or a registration."""

import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

# Points on the skin (RAS+, mm), read off renders of three public heads, in their files' world coordinates.
LANDMARKS = {
    "ext2": {
        "eye-": (-36, 107, -63), "eye+": (36, 103, -63), "nose": (0, 144, -79), "mouth": (1, 118, -124),
        "ear-": (-82, 4, -70), "ear+": (82, 4, -68),
    },
    "sub01": {
        "eye-": (-26, 107, -33), "eye+": (37, 104, -31), "nose": (11, 144, -57), "mouth": (9, 127, -93),
        "chin": (7, 132, -129), "ear-": (-82, 8, -62), "ear+": (83, 3, -62),
    },
    "philips": {
        "eye-": (-33, 78, 5), "eye+": (27, 75, 5), "nose": (-2, 118, -23), "mouth": (-3, 105, -59),
        "chin": (-4, 94, -91), "ear-": (-72, -5, -10), "ear+": (74, -5, -13),
    },
}  # fmt: skip
# In the template's frame (RAS+, mm), the mean of the three heads with landmarks drawn by hand.
TEMPLATE_LANDMARKS = {
    "eye-": (-31, 86, -38), "eye+": (31, 83, -38), "nose": (2, 120, -64), "mouth": (1, 100, -98),
    "chin": (0, 95, -128), "ear-": (-76, -7, -44), "ear+": (76, -7, -44),
}  # fmt: skip
REGIONS_MM = {"eye-": 18, "eye+": 18, "nose": 20, "mouth": 25, "chin": 20, "ear-": 25, "ear+": 25}


def level(values: np.ndarray) -> float:
    """Return a threshold between air and tissue: from air, 0.6 of the way to Otsu's (IEEE Trans SMC 9:62).

    Skin and lips are darker than most tissue, so Otsu's own threshold loses them. CT, known by values that
    only HU have, is cut between air and fat.
    """
    if values.min() < -500:
        return -300.0
    counts, edges = np.histogram(np.minimum(values, np.percentile(values, 99)), 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    apart = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(below * (below[-1] - below), 1)
    cut = apart.argmax()
    air = sums[cut] / below[cut]
    return float(air + 0.6 * (middles[cut] - air))


def tissue_of(values: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return what is not air in an (I, J, K) volume: bool."""
    smooth = ndimage.gaussian_filter(values.astype(np.float32), [1.0 / step for step in spacing_mm])
    return smooth > level(values)


def outside(tissue: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return the air around a head, without what is entered only through an opening under 5 mm."""
    size = [max(1, 2 * round(2.5 / step) + 1) for step in spacing_mm]
    # Beyond the field of view is neither air nor tissue: the filters see the last plane repeated.
    air = ndimage.minimum_filter((~tissue).astype(np.uint8), size)
    parts, _ = ndimage.label(air)
    faces = [np.take(parts, (0, -1), axis).ravel() for axis in range(3)]
    air = np.isin(parts, np.setdiff1d(np.concatenate(faces), 0))
    return ndimage.maximum_filter(air.astype(np.uint8), size) > 0


def regions_of(
    tissue: np.ndarray,
    world_from_voxel: np.ndarray,
    spacing_mm: tuple[float, ...],
    landmarks: dict[str, tuple[float, float, float]],
) -> np.ndarray:
    """Return the outer skin around each landmark as 1 + the landmark's place in REGIONS_MM, else 0.

    Parameters
    ----------
    tissue : (I, J, K) bool array in RAS order
    world_from_voxel : (4, 4) array
    spacing_mm : of the voxels
    landmarks : points on the skin by their names in REGIONS_MM, in world coordinates (RAS+, mm)

    Returns
    -------
    regions : (I, J, K) uint8 array
        Of ears only what is met first from their side: the groove behind an ear and the canal are skin too,
        but nobody is known by them.
    """
    skin = tissue & ndimage.binary_dilation(outside(tissue, spacing_mm))
    places = np.argwhere(skin)
    world = apply_affine(world_from_voxel, places)
    regions = np.zeros(tissue.shape, np.uint8)
    for number, (name, radius_mm) in enumerate(REGIONS_MM.items(), 1):
        if name in landmarks:
            ball = places[((world - np.array(landmarks[name])) ** 2).sum(-1) <= radius_mm**2]
            ball = ball[regions[tuple(ball.T)] == 0]
            if name.startswith("ear"):
                x, *across = ball.T
                rays = tissue[:, *across]
                first = rays.argmax(0) if name == "ear-" else len(rays) - 1 - rays[::-1].argmax(0)
                ball = ball[x == first]
            regions[tuple(ball.T)] = number
    return regions
