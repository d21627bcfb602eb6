"""AVA's frame-mAP, where a box has several labels (Gu et al. 2018, as counted by the official challenge tool)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.base import Metric, UnmeasurableError
from paddlevideo.metrics.frame_map import BoxTable, DetectionTable, evaluate, number_rows
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, IntArray, Meta, Prediction
from paddlevideo.utils.text_files import read_text

Rows: TypeAlias = npt.NDArray[np.float64]
AVARecord: TypeAlias = tuple[Rows, Rows]  # detections [R, 6], truths [Q, 5]: label, box, score


@METRICS.register
class AVAMAP(Metric):
    """Mean average precision over classes at one IoU threshold; a box counts once for each of its labels.

    Args:
        classes: class names; the label is the position.
        iou_threshold: least overlap of a true positive.
        evaluated: the classes that count, or a file with one name a line; None for all.
        order: in which detections of a frame take their truths: by falling `score`, as the challenge tool does, or as
            they come in the `file`, as the published code of YOWO and YOWO-Plus does.

    Raises:
        FileNotFoundError: no such file of classes.
        ValueError: a class that is not among `classes`, or a threshold that is no overlap.
    """

    def __init__(
        self,
        classes: Sequence[str],
        iou_threshold: float = 0.5,
        evaluated: str | Sequence[str] | None = None,
        order: Literal["score", "file"] = "score",
    ) -> None:
        super().__init__()
        self.classes = list(classes)
        if not 0 < iou_threshold <= 1:
            raise ValueError(
                f"METRIC AVAMAP: iou_threshold should be above 0 and at most 1, got {iou_threshold}; usual is 0.5"
            )
        self.iou_threshold = iou_threshold
        if isinstance(evaluated, str):
            evaluated = _read_names(Path(evaluated))
        strange = [name for name in evaluated or () if name not in self.classes]
        if strange:
            raise ValueError(
                f"METRIC AVAMAP: evaluated has {strange[0]!r}, which is none of the config's "
                f"{len(self.classes)} classes; name some of these, or null for all"
            )
        self.evaluated = [self.classes.index(name) for name in (self.classes if evaluated is None else evaluated)]
        self.order = order
        self.primary = f"ava_map@{iou_threshold:g}"

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> AVARecord:
        """Detections and truths of one frame.

        Args:
            prediction: `boxes [R, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [R]`, `scores [R]`.
            target: `boxes [N, 4]` in the same form, `labels [N, C]` of 0 and 1; rows of -1 are padding.
            meta: `id`.

        Raises:
            UnmeasurableError: truths with a single label each.
        """
        if target["labels"].ndim != 2:
            raise UnmeasurableError(
                f"{meta['id']}: METRIC AVAMAP expects labels [N, C] of 0 and 1, got {list(target['labels'].shape)}; "
                "set multi_label: true in DATASET.test"
            )
        actor, label = np.nonzero(target["labels"] > 0)
        truths = np.column_stack([label, target["boxes"][actor]]).astype(np.float64)
        detections = np.column_stack([prediction["labels"], prediction["boxes"], prediction["scores"]])
        return detections.astype(np.float64), truths

    def compute(self, records: dict[str, AVARecord]) -> dict[str, float]:
        """Mean over the evaluated classes that have truths, and `AP/<class>` of each of them; all in 0..1.

        Raises:
            UnmeasurableError: there is not one truth.
        """
        image, rows = self._evaluated(*number_rows([detections for detections, _ in records.values()]))
        detections = DetectionTable(image, rows[:, 0].astype(np.int64), rows[:, 1:5], rows[:, 5])
        image, rows = self._evaluated(*number_rows([truths for _, truths in records.values()]))
        truths = BoxTable(image, rows[:, 0].astype(np.int64), rows[:, 1:])
        if not len(rows):
            raise UnmeasurableError(
                f"METRIC AVAMAP: expected boxes of an evaluated class, but none of the {len(records)} test frames has "
                "one; check the annotation that DATASET.test names, and `evaluated`"
            )
        turns = np.arange(len(detections.image)) if self.order == "file" else None
        (results,) = evaluate(detections, truths, [self.iou_threshold], turns, border=0)
        ap = {f"AP/{self.classes[label]}": result.ap for label, result in results.items() if result.num_truths}
        return {self.primary: float(np.mean(list(ap.values()))), **ap}

    def _evaluated(self, image: IntArray, rows: Rows) -> tuple[IntArray, Rows]:
        """The rows of label and box, with their image, that are of an evaluated class and have an area."""
        counts = np.isin(rows[:, 0], self.evaluated) & (rows[:, 3] > rows[:, 1]) & (rows[:, 4] > rows[:, 2])
        return image[counts], rows[counts]


def _read_names(path: Path) -> list[str]:
    """Class names, one a line."""
    if not path.is_file():
        raise FileNotFoundError(
            f"METRIC AVAMAP: evaluated: no file {path}; it holds one class name a line, such as data/ava/evaluated.txt "
            "of this repository; give its path as seen from here, a list of names, or null for all classes"
        )
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
