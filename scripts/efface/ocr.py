"""Reading of text in a picture, whichever way its axes run (RapidOCR on ONNX Runtime, the extra `text`)."""

import re
from functools import cache
from importlib.util import find_spec

import numpy as np

FEWEST_SIGNS, LEAST_CONFIDENCE = 3, 0.8  # of a string: letters and digits, and how sure its reading is
SMALLEST_SIDE = 512  # pixels: smaller pictures are enlarged
_SIGN = re.compile("[A-Za-z0-9]")


def available() -> bool:
    """Say whether what reads text is installed."""
    return find_spec("rapidocr_onnxruntime") is not None


def signs(text: str) -> int:
    """Return how many Latin letters and digits a text has."""
    return len(_SIGN.findall(text))


@cache
def _reader():
    """Return the reader of text, loaded once, on one thread: the same picture gives the same answer."""
    import cv2
    from rapidocr_onnxruntime import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, det_limit_side_len=SMALLEST_SIDE)


def strings(picture: np.ndarray) -> list[tuple[str, float, np.ndarray]]:
    """Return the strings in an (I, J) uint8 picture: text, how sure it is, and its corners, (4, 2) voxels.

    Places are found once, for that takes long; what is there is read turned and mirrored too, because the
    axes of an image may run against those of the slice that was burned into.
    """
    import cv2

    if picture.min() == picture.max():
        return []
    reader = _reader()
    scale = max(1.0, SMALLEST_SIDE / min(picture.shape))
    size = [max(1, round(side * scale)) for side in picture.shape]
    page = cv2.resize(np.ascontiguousarray(picture.T), size, interpolation=cv2.INTER_CUBIC)
    page = np.repeat(page[:, :, None], 3, axis=2)
    boxes, _ = reader(page, use_det=True, use_cls=False, use_rec=False)
    places = [np.array(box, np.float32) for box in boxes or ()]
    found = []
    for place, crop in zip(places, reader.get_crop_img_list(page, places), strict=True):
        turned = [crop, crop[::-1, ::-1], crop[:, ::-1], crop[::-1]]
        read, _ = reader.text_rec([np.ascontiguousarray(one) for one in turned])
        sure = [(float(score), text) for text, score in read if signs(text) >= FEWEST_SIGNS]
        score, text = max(sure, default=(0.0, ""))
        if score >= LEAST_CONFIDENCE:
            found.append((text, score, place / scale))
    return found
