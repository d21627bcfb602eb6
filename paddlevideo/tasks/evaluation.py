"""A test set to numbers and a file of predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paddlevideo.config import Config
from paddlevideo.metrics.base import Metric
from paddlevideo.tasks.parts import Batches, build_dataset, build_loader, build_metrics
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.types import Arrays, Meta, Prediction
from paddlevideo.utils.files import output_folder, write_json
from paddlevideo.utils.logging import Progress, logger

Predict = Callable[[Any, list[Meta]], list[Prediction]]
Sink = Callable[[Meta, Prediction], None]


def evaluate(
    predict: Predict, loader: Batches, metrics: list[Metric], interval: int, sink: Sink | None = None
) -> dict[str, float]:
    """Run a whole test set through a network and the metrics.

    Args:
        predict: inputs of a batch and their meta to predictions.
        loader: test batches.
        metrics: they are reset first.
        interval: batches between lines of progress.
        sink: is given every prediction as well.

    Returns:
        The numbers of all metrics.
    """
    for metric in metrics:
        metric.reset()
    progress = Progress("test", len(loader), interval)
    for batch in loader:
        predictions = predict(batch["inputs"], batch["meta"])
        targets = _rows(batch["targets"], len(predictions))
        for metric in metrics:
            metric.update(predictions, targets, batch["meta"])
        if sink is not None:
            for meta, prediction in zip(batch["meta"], predictions, strict=True):
                sink(meta, prediction)
        progress.step(len(predictions))
    progress.close()
    return {name: value for metric in metrics for name, value in metric.accumulate().items()}


def test(config: Config, weights: str | Path) -> dict[str, float]:
    """Measure trained weights; print the numbers and write them with all predictions to `output_dir/test`.

    `metrics.json` holds the numbers, `predictions.jsonl` one line a sample: its meta and its prediction.
    """
    folder = output_folder(Path(config.output_dir) / "test")
    predictor = Predictor.from_checkpoint(config, weights)
    loader = build_loader(config, build_dataset(config, "test", predictor.input))
    with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:

        def write(meta: Meta, prediction: Prediction) -> None:
            plain = {key: value.tolist() for key, value in prediction.items()}
            file.write(json.dumps({**meta, **plain}) + "\n")

        numbers = evaluate(predictor.batch, loader, build_metrics(config), config.log_interval, write)
    write_json(folder / "metrics.json", numbers)
    logger.info("%s", table(numbers))
    logger.info("numbers and predictions are in %s", folder)
    return numbers


def table(numbers: dict[str, float]) -> str:
    """One number a line."""
    width = max(map(len, numbers))
    return "\n".join(["results", *(f"  {name:<{width}}  {value:.4f}" for name, value in numbers.items())])


def _rows(targets: dict[str, Any], count: int) -> list[Arrays]:
    """Targets of a batch, sample by sample, as numpy arrays with their padding."""
    arrays = {key: value.numpy() for key, value in targets.items()}
    return [{key: value[i] for key, value in arrays.items()} for i in range(count)]
