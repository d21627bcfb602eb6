"""Who counts how: the metrics of each published protocol, as nodes of a config. docs/evaluation.md explains them."""

from __future__ import annotations

from typing import Any

from paddlevideo.metrics.base import STRICT
from paddlevideo.registry import suggestion
from paddlevideo.types import Node

_FRAME: dict[str, Any] = {"name": "FrameMAP", "iou_thresholds": STRICT}
_SCORE: dict[str, Any] = {"name": "DetectionScore"}
_VIDEO: dict[str, Any] = {"name": "VideoMAP", "iou_thresholds": (0.05, 0.1, 0.2, 0.3, *STRICT)}
_AVA: dict[str, Any] = {"name": "AVAMAP", "evaluated": "data/ava/evaluated.txt"}

PROTOCOLS: dict[str, list[Node]] = {
    "yowo": [_FRAME, _SCORE, {**_VIDEO, "candidates": "every_class"}],
    "yowo_plus": [_FRAME, _SCORE, {**_VIDEO, "candidates": "own_class", "decimals": 2}],
    "ucf24_authors": [
        {**_VIDEO, "candidates": "own_class", "border": False, "shift": 1.0, "strict": True, "trim": True}
    ],
    "ava_challenge": [{**_AVA, "order": "score"}],
    "ava_yowo": [{**_AVA, "order": "file"}],
}


def protocol_metrics(name: str) -> list[Node]:
    """The metrics of a protocol.

    Raises:
        KeyError: no such protocol; the message suggests the nearest name.
    """
    if name not in PROTOCOLS:
        raise KeyError(f"no protocol called {name!r}{suggestion(name, PROTOCOLS)}")
    return PROTOCOLS[name]
