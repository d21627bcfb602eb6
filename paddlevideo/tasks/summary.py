"""The size of a config's model."""

from __future__ import annotations

import paddle

from paddlevideo.config import Config
from paddlevideo.tasks.exporter import probe
from paddlevideo.tasks.parts import build_model
from paddlevideo.utils.logging import logger
from paddlevideo.utils.summary import describe


def summarize(config: Config) -> None:
    """Print parameters and multiply-adds of each part, for one input of the configured size."""
    model = build_model(config)
    inputs = {name: paddle.to_tensor(value) for name, value in probe(model).items()}
    logger.info("%s", describe(model, inputs))
