"""Annotation files and videos to samples."""

from paddlevideo.loader.datasets.action_dataset import ActionDataset
from paddlevideo.loader.datasets.base import SampleDataset, VideoDataset
from paddlevideo.loader.datasets.feature_dataset import FeatureDataset
from paddlevideo.loader.datasets.feature_file import FeatureFile
from paddlevideo.loader.datasets.labelled_videos import LabelledVideos
from paddlevideo.loader.datasets.video_stream import VideoStream
from paddlevideo.loader.datasets.whole_video import WholeVideo

__all__ = [
    "ActionDataset",
    "FeatureDataset",
    "FeatureFile",
    "LabelledVideos",
    "SampleDataset",
    "VideoDataset",
    "VideoStream",
    "WholeVideo",
]
