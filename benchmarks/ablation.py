"""What each branch of the sample network is worth: train it without one, then whole, and compare on the test videos.

The actions of the sample videos differ by motion only, so the 2-D branch alone can find actors but not name their
action. Every row is trained with the same settings and number of samples.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.config import load_config
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging

VARIANTS = {
    "2-D branch alone": ["MODEL.backbone_3d=null"],
    "3-D branch alone": ["MODEL.backbone_2d=null"],
    "both branches": [],
}
SHOWN = ("frame_map@0.5", "localization_recall", "classification_accuracy")


def run(arguments: Sequence[str] | None) -> None:
    """Train and measure all variants, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo_sample.yaml"))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=Path, default=Path("demo/ablation"), help="folder for weights and logs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="train once for each of these")
    args = parser.parse_args(arguments)
    start_logging()
    use_device("cpu")
    rows = []
    for title, overrides in VARIANTS.items():
        for seed in args.seeds:
            folder = args.output / f"{title.replace(' ', '_')}_{seed}"
            config = load_config(args.config, [*args.override, *overrides])
            numbers = Trainer(dataclasses.replace(config, seed=seed, output_dir=str(folder))).fit()
            rows.append((title, seed, [numbers[name] for name in SHOWN]))
    print(f"{'network':<18}{'seed':>5}" + "".join(f"{name:>25}" for name in SHOWN))
    for title, seed, values in rows:
        print(f"{title:<18}{seed:>5}" + "".join(f"{value:>25.4f}" for value in values))


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
