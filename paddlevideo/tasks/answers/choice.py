"""The kind of answers that a network gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paddlevideo.config import Config
from paddlevideo.modeling.models import Postprocess
from paddlevideo.registry import ANSWERS, POSTPROCESS
from paddlevideo.tasks.answers.base import Answers


def answers_of(postprocess: Postprocess | type[Postprocess], classes: Sequence[str]) -> Answers:
    """The kind that a postprocess gives.

    Raises:
        KeyError: it names no kind.
    """
    answers: Answers = ANSWERS.build({"name": postprocess.answers}, classes=classes)
    return answers


def answers_of_config(config: Config) -> Answers:
    """The kind that the model of a config gives; no network is built for it.

    Raises:
        KeyError: the model has no postprocess.
    """
    node = config.MODEL.get("postprocess")
    if not isinstance(node, Mapping) or "name" not in node:
        raise KeyError("MODEL.postprocess is missing in the config; it says what kind of answers the model gives")
    return answers_of(POSTPROCESS.get(node["name"]), config.classes)
