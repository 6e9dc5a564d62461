"""What a face detector and a face embedding make of a head's skin, before and after."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from defacing.heads import Head
from efface import witness


@dataclass(frozen=True)
class Seen:
    """The surest face's score of any view, and embeddings: from the front, and turned to either side."""

    score: float
    front: np.ndarray | None
    turned: tuple[np.ndarray | None, ...]


def seen(path: Path, image_from_template: np.ndarray, threshold: float) -> Seen:
    """Return what is seen of an image whose tissue is above a threshold."""
    image = nib.load(path)
    values = np.asanyarray(image.dataobj).astype(np.float32)
    views = witness.depth_renders(values, np.linalg.inv(image.affine) @ image_from_template, threshold)
    left, front, right = map(witness.embedding, views)
    return Seen(max(witness.faces(views)), front, (left, right))


def recognised(intact: dict[Head, Seen], after: dict[str, dict[Head, Seen]]) -> str:
    """Return in words how often a turned head is nearest to its own person, among intact ones from the front.

    Parameters
    ----------
    intact : by head, before
    after : by tool and head
    """
    known = {head: one.front for head, one in intact.items() if one.front is not None}
    if len({head.person for head in known}) < 2:
        return "Re-identification: there is nobody to be taken for."
    chance = np.mean([sum(a.person == b.person for a in known) / len(known) for b in known])
    shares = defaultdict(list)
    for tool, heads in ({"intact": intact} | after).items():
        for head, one in heads.items():
            for face in one.turned:
                if face is not None:
                    nearest = min(known, key=lambda other, face=face: np.linalg.norm(known[other] - face))
                    shares[tool].append(nearest.person == head.person)
    told = [f"{tool} {sum(right)} of {len(right)}" for tool, right in shares.items()]
    return f"Re-identified at rank 1 of {len(known)} heads (chance {chance:.0%}): {', '.join(told)}."
