"""Every video of a config's datasets to a file of features."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddlevideo.config import Config
from paddlevideo.loader.feature_bank import write_bank
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_dataset, build_loader, build_model
from paddlevideo.types import Batch
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import Progress, logger


@paddle.no_grad()
def extract(config: Config, weights: str | Path, folder: Path, every: int) -> None:
    """Describe a clip at every so many frames of all training and test videos, without augmentation.

    Args:
        config: of a trained model.
        weights: its weights.
        folder: where the files go, one a video.
        every: frames between the clips.

    Raises:
        PermissionError: the folder cannot be written.
        NotImplementedError: the model has no features for a bank.
    """
    folder = output_folder(folder)
    model = build_model(config)
    load_weights(model, weights)
    use_onednn(model)
    model.eval()
    for phase, node in config.DATASET.items():
        clips = {**node, "every_frame": True, "unannotated": True, "step": every, "background": 0.0}
        plain = dataclasses.replace(config, DATASET={"test": clips})
        loader = build_loader(plain, build_dataset(plain, "test", model.input))
        progress = Progress(f"features of {phase}", len(loader), config.log_interval)
        rows: list[tuple[str, int, Any]] = []  # of the video that is being described
        for batch in loader:
            for row in _described(batch, model.describe(batch["inputs"])):
                if rows and rows[0][0] != row[0]:
                    _write(folder, rows)
                    rows = []
                rows.append(row)
            progress.step(len(batch["meta"]))
        _write(folder, rows)
        progress.close()
    logger.info("the features are in %s", folder)


def _described(batch: Batch, features: paddle.Tensor) -> list[tuple[str, int, Any]]:
    """Video, frame and feature of every sample."""
    places = [meta["id"].rpartition("/") for meta in batch["meta"]]
    return [(video, int(frame), row) for (video, _, frame), row in zip(places, features.numpy(), strict=True)]


def _write(folder: Path, rows: list[tuple[str, int, Any]]) -> None:
    write_bank(folder, rows[0][0], np.array([row[1] for row in rows]), np.stack([row[2] for row in rows]))
