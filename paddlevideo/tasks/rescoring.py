"""A file of answers to numbers: any metric without the network that made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from paddlevideo.config import Config
from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.metrics.base import Metric, UnmeasurableError, has_truths
from paddlevideo.metrics.protocols import protocol_metrics
from paddlevideo.tasks.answers import Answers, answers_of_config
from paddlevideo.tasks.evaluation import table
from paddlevideo.tasks.parts import build_annotations, build_metrics
from paddlevideo.tasks.report import write_report
from paddlevideo.tasks.result_file import ResultFile
from paddlevideo.types import Arrays, Meta, Prediction
from paddlevideo.utils.collector import collector_paused
from paddlevideo.utils.files import finite_or_null, output_folder, write_json
from paddlevideo.utils.logging import logger


def rescore(config: Config, path: Path, protocol: str | None = None, output: Path | None = None) -> dict[str, float]:
    """Measure the answers of a file against the annotation of the config's test set, and print the numbers.

    Args:
        config: its `DATASET.test` is what the file was written for; of the network nothing is needed.
        path: of the file.
        protocol: name of a set of metrics, see `metrics/protocols.py`; None for those of the config.
        output: folder for `metrics.json` and `report.html`; None to print only.

    Returns:
        The numbers of all metrics that this test set allows; which it does not allow, and why, is logged.

    Raises:
        KeyError: no such protocol.
        ValueError: a malformed file, one of another test set, or one that allows none of the metrics.
    """
    chosen = config if protocol is None else dataclasses.replace(config, METRIC=protocol_metrics(protocol))
    metrics = build_metrics(chosen)
    with collector_paused():
        answers = answers_of_config(config)
        results = _read(answers, path)
        dataset = build_annotations(config, "test")
        targets = matching_targets(results, dataset, path)
        background = sum(not has_truths(target) for target in targets)
        note = ", which published frame metrics leave out (background: false)" if background else ""
        logger.info("%s: %d samples, %d of them without truths%s", path, len(targets), background, note)
        numbers = measure(metrics, results.samples, targets)
        logger.info("%s", table(numbers))
        if output is not None:
            write_json(output_folder(output) / "metrics.json", finite_or_null(numbers))
            write_report(output, chosen, dataset, results.samples, numbers)
            logger.info("the numbers and a report to look at are in %s", output)
    return numbers


def _read(answers: Answers, path: Path) -> ResultFile:
    """The answers of a file that has the classes of the config."""
    results = answers.read(path)
    if results.classes != tuple(answers.classes):
        raise ValueError(
            f"{path}:1: its {len(results.classes)} classes ({', '.join(results.classes)}) are not the config's "
            f"{len(answers.classes)} ({', '.join(answers.classes)}); take the config that the file was written with"
        )
    return results


def matching_targets(results: ResultFile, dataset: SampleDataset, path: Path) -> list[Arrays]:
    """The targets of the samples of a file, in its order.

    Raises:
        ValueError: the file and the dataset do not have the same samples; names some of those that differ.
    """
    annotations = {entry["meta"]["id"]: entry for entry in map(dataset.annotation, range(len(dataset)))}
    ids = {meta["id"]: None for meta, _ in results.samples}
    strange, missing = [i for i in ids if i not in annotations], [i for i in annotations if i not in ids]
    for kind, names in (("are not in DATASET.test", strange), ("of DATASET.test are not in the file", missing)):
        if names:
            raise ValueError(
                f"{path}: {len(names)} samples {kind}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}; give "
                "the config and the -o DATASET.test... settings of the test that wrote it (index, step, background, "
                "every_frame), or run that test again"
            )
    for number, (meta, _) in enumerate(results.samples, start=2):
        annotated = {key: annotations[meta["id"]]["meta"][key] for key in meta}
        if annotated != meta:
            raise ValueError(
                f"{path}:{number}: expected what the annotation has, {annotated}, got {meta}; the index was changed "
                "since the test, so run it again"
            )
    return [annotations[meta["id"]]["targets"] for meta, _ in results.samples]


def measure(
    metrics: Iterable[Metric], samples: list[tuple[Meta, Prediction]], targets: list[Arrays]
) -> dict[str, float]:
    """The numbers of all metrics that these samples allow; the others are logged with what they need.

    Raises:
        ValueError: they allow none.
    """
    numbers: dict[str, float] = {}
    refused: list[str] = []
    meta, predictions = ([sample[k] for sample in samples] for k in (0, 1))
    for metric in metrics:
        try:
            metric.update(predictions, targets, meta)
            numbers |= metric.accumulate()
        except UnmeasurableError as error:
            refused.append(f"not measured: {error}")
    if not numbers:
        raise ValueError("\n".join(refused))
    for line in refused:
        logger.warning("%s", line)
    return numbers
