"""A page that shows the results of a test: one html file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from paddlevideo.config import Config
from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.tasks import report_page as html
from paddlevideo.tasks.answers import answers_of_config
from paddlevideo.tasks.result_file import Labelled
from paddlevideo.utils.command import command_line
from paddlevideo.utils.files import write_atomically


def write_report(
    folder: Path,
    config: Config,
    dataset: SampleDataset,
    samples: Sequence[Labelled],
    numbers: Mapping[str, float],
) -> Path:
    """Write `report.html`: numbers, and what the kind of answers shows, such as confusions and the worst mistakes.

    Args:
        folder: where it goes.
        config: of the test.
        dataset: the test set; it says what is true, and its frames are shown.
        samples: meta and prediction of its samples.
        numbers: those of the metrics; `<what>/<class>` is drawn as a bar among its like.

    Returns:
        The path of the page.
    """
    parts = [*_numbers(numbers), *answers_of_config(config).sections(dataset, samples, numbers)]
    parts.append(html.section("Command", "What was run.", html.listing(command_line())))
    text = yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True, width=100)
    parts.append(html.section("Config", "As it was resolved, with every override.", html.listing(text)))
    page = html.page(f"{config.MODEL['name']} on {len(samples)} test samples", parts)
    path = folder / "report.html"
    write_atomically(path, lambda file: file.write_bytes(page.encode("utf-8", "replace")))
    return path


def _numbers(numbers: Mapping[str, float]) -> Iterator[str]:
    """Headline numbers, and the numbers of single classes by what they count."""
    yield html.cards({name: value for name, value in numbers.items() if "/" not in name})
    groups: dict[str, dict[str, float]] = {}
    for name, value in numbers.items():
        what, slash, of = name.partition("/")
        if slash:
            groups.setdefault(what, {})[of] = value
    for what, values in groups.items():
        yield html.section(f"{what} of each class", "The best first.", html.bars(values))
