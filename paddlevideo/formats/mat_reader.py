"""Prints `finalAnnots.mat` as JSON; run as a script of its own, because SciPy crashes on some damaged files."""

import json
import sys
from typing import Any

import numpy as np


def read(path: str) -> dict[str, Any]:
    """The content in the form of `pyannot.pkl`; videos without a tube, which have no label, are not in that."""
    from scipy.io import loadmat

    videos = np.atleast_1d(loadmat(path, simplify_cells=True)["annot"])
    found = {str(video["name"]): (video, list(np.atleast_1d(video["tubes"]))) for video in videos}
    return {
        name: {
            "label": int(tubes[0]["class"]) - 1,
            "numf": int(video["num_imgs"]),
            "annotations": [_tube(tube) for tube in tubes],
        }
        for name, (video, tubes) in found.items()
        if tubes
    }


def _tube(tube: dict[str, Any]) -> dict[str, Any]:
    """A tube counted from 0; `ef` is the last frame from 1, which is the one past it from 0."""
    boxes = np.asarray(tube["boxes"]).reshape(-1, 4).tolist()
    return {"label": int(tube["class"]) - 1, "sf": int(tube["sf"]) - 1, "ef": int(tube["ef"]), "boxes": boxes}


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout, allow_nan=False)
