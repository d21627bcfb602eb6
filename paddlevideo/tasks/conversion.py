"""Weights of other programs to weights of this one, and of this one to another kind of file."""

from __future__ import annotations

from pathlib import Path

from paddlevideo.config import Config
from paddlevideo.tasks.checkpoint import check_finite, check_parts, describe
from paddlevideo.tasks.parts import build_model
from paddlevideo.utils.download import local_file
from paddlevideo.utils.logging import logger
from paddlevideo.weights import OWN, read_weights, write_tensors
from paddlevideo.weights.sources import SOURCES


def convert(source: str, target: Path, config: Config | None) -> None:
    """Read weights of any known source and write them under our names; says what they were recognised as.

    Args:
        source: a path or a URL.
        target: a file that ends with `.pdparams` or `.safetensors`.
        config: of the model that they are for, or None to leave that open.

    Raises:
        ValueError: no weight file, not whole parts of the model, NaN or infinity, or neither a known source nor a model
            to compare with.
    """
    weights = read_weights(local_file(source))
    if config is not None:
        absent = check_parts(build_model(config), weights)
    elif weights.source == OWN:
        known = "; ".join(source.title for source in SOURCES)
        raise ValueError(
            f"{weights.path}: its names are not those of any known source ({known}); if these are weights of this "
            "program, give the config of their model with -c"
        )
    for name, value in weights.tensors.items():
        check_finite(value, value, f"{weights.path}: tensor {name}")
    write_tensors(weights.tensors, target)
    logger.info("%s", describe(weights))
    if config is not None:
        logger.info("  fits the config%s", f", which has also {', '.join(absent)}" if absent else " and is complete")
    logger.info("written to %s", target)
