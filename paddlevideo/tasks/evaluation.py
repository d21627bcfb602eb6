"""A test set to numbers and a file of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paddlevideo.config import Config
from paddlevideo.metrics.base import Metric
from paddlevideo.tasks.answers import Answers
from paddlevideo.tasks.checkpoint_store import facts_beside
from paddlevideo.tasks.parts import Batches, build_dataset, build_loader, build_metrics
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.provenance import facts_of, warn_of_changes
from paddlevideo.tasks.report import write_report
from paddlevideo.tasks.result_file import Sink
from paddlevideo.types import Arrays, Meta, Prediction
from paddlevideo.utils import processes
from paddlevideo.utils.files import finite_or_null, output_folder, write_json
from paddlevideo.utils.logging import Progress, logger

Predict = Callable[[Any, list[Meta]], list[Prediction]]


def evaluate(
    predict: Predict, loader: Batches, metrics: list[Metric], interval: int, sink: Sink | None = None
) -> dict[str, float]:
    """Run a whole test set through a network and the metrics; several processes share it and all learn the numbers.

    Args:
        predict: inputs of a batch and their meta to predictions.
        loader: test batches.
        metrics: they are reset first.
        interval: batches between lines of progress.
        sink: is given every prediction of this process as well.

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
    for metric in metrics:
        metric.replace_records(processes.gather(metric.records))
    return {name: value for metric in metrics for name, value in metric.accumulate().items()}


def test(config: Config, weights: str | Path) -> dict[str, float]:
    """Measure trained weights, and say what is not as it was when they were; see `measure`."""
    if (before := facts_beside(weights)) is not None:
        warn_of_changes(before, facts_of(config, ["test"]), Path(weights))
    return measure(config, Predictor.from_checkpoint(config, weights))


def measure(config: Config, predictor: Predictor) -> dict[str, float]:
    """Measure a network on a test set; print the numbers and write them with all answers to `output_dir/test`.

    `metrics.json` holds the numbers; a file that the kind of answers names, such as `detections.jsonl`, holds all that
    other metrics can be computed from (`tasks/answers/`); `report.html` shows both.

    Raises:
        ValueError: the network knows other classes than the config.
    """
    if predictor.classes != list(config.classes):
        raise ValueError(
            f"the network knows the classes {', '.join(predictor.classes)}, the config {', '.join(config.classes)}; "
            "give the config of its training with -c"
        )
    folder = output_folder(Path(config.output_dir) / "test")
    dataset = build_dataset(config, "test", predictor.input)
    loader = build_loader(config, dataset)
    answers = predictor.answers
    with gathering_writer(answers, folder / answers.file_name) as write:
        numbers = evaluate(predictor.batch, loader, build_metrics(config), config.log_interval, write)
    if not processes.is_first():
        return numbers
    write_json(folder / "metrics.json", finite_or_null(numbers))
    write_report(folder, config, dataset, answers.read(folder / answers.file_name).samples, numbers)
    logger.info("%s", table(numbers))
    logger.info("numbers, %s and a report to look at are in %s", answers.file_name, folder)
    return numbers


@contextmanager
def gathering_writer(answers: Answers, path: Path) -> Iterator[Sink]:
    """A writer for the samples of all processes, each of them once, which the first process writes."""
    if processes.count() == 1:
        with answers.writer(path) as write:
            yield write
        return
    own: dict[str, tuple[Meta, Prediction]] = {}

    def keep(meta: Meta, prediction: Prediction) -> None:
        own[meta["id"]] = (meta, prediction)

    yield keep
    every = {name: sample for part in processes.gather(own) for name, sample in part.items()}
    if processes.is_first():
        with answers.writer(path) as write:
            for meta, prediction in every.values():
                write(meta, prediction)


def table(numbers: dict[str, float]) -> str:
    """Numbers of all classes together one a line, then a line a class with a column for each `<column>/<class>`."""
    whole = [name for name in numbers if "/" not in name]
    parts = [name.partition("/") for name in numbers if "/" in name]
    columns, classes = (list(dict.fromkeys(part[k] for part in parts)) for k in (0, 2))
    width = max(map(len, [*whole, *classes]))
    lines = ["results", *(f"  {name:<{width}}  {numbers[name]:.4f}" for name in whole)]
    if columns:
        lines.append(f"  {'':<{width}}" + "".join(f"  {column:>9}" for column in columns))
    for name in classes:
        values = (numbers.get(f"{column}/{name}") for column in columns)
        cells = ("-" if value is None else f"{value:.4f}" for value in values)
        lines.append(f"  {name:<{width}}" + "".join(f"  {cell:>9}" for cell in cells))
    return "\n".join(lines)


def _rows(targets: dict[str, Any], count: int) -> list[Arrays]:
    """Targets of a batch, sample by sample, as numpy arrays with their padding."""
    arrays = {key: value.numpy() for key, value in targets.items()}
    return [{key: value[i] for key, value in arrays.items()} for i in range(count)]
