"""What depends on the kind of answers that a model gives; its postprocess names the kind."""

from paddlevideo.tasks.answers.base import Answers, Curve, StreamOptions, StreamWriter
from paddlevideo.tasks.answers.box_answers import BoxAnswers
from paddlevideo.tasks.answers.choice import answers_of, answers_of_config
from paddlevideo.tasks.answers.score_answers import ScoreAnswers
from paddlevideo.tasks.answers.segment_answers import SegmentAnswers

__all__ = [
    "Answers",
    "BoxAnswers",
    "Curve",
    "ScoreAnswers",
    "SegmentAnswers",
    "StreamOptions",
    "StreamWriter",
    "answers_of",
    "answers_of_config",
]
