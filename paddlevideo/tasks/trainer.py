"""The training loop."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import paddle

from paddlevideo.config import AmpLevel, Config, save_config
from paddlevideo.solver import Schedule, build_optimizer
from paddlevideo.tasks.checkpoint import load_training, load_weights, save_training, save_weights, start_from
from paddlevideo.tasks.evaluation import evaluate, table
from paddlevideo.tasks.parts import EpochShuffle, build_dataset, build_loader, build_metrics, build_model
from paddlevideo.tasks.predictor import eager_network
from paddlevideo.types import Batch, Prediction
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.device import seed_everything
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import Progress, logger


class Trainer:
    """Builds all that a config names for training, and trains.

    Into `output_dir` go `config.yaml`, `best.pdparams` and `last.pdparams`, `last.pdopt`, `metrics.jsonl` and VisualDL
    scalars; those of an earlier run go to `earlier/`.

    Args:
        config: the run's.
        weights: trained weights to start from, a path or a URL, after those that the config calls `pretrained`.
        validate: whether to measure after epochs, and so to keep the best weights.
        resume: continue from `last.pdparams` and `last.pdopt` in `output_dir`.
    """

    def __init__(
        self, config: Config, weights: str | Path | None = None, validate: bool = True, resume: bool = False
    ) -> None:
        seed_everything(config.seed % 2**32)
        self.config = config
        self.model = build_model(config)
        if not resume:
            for location in (*config.pretrained, *([] if weights is None else [weights])):
                start_from(self.model, location, config.classes)
        self.dataset = build_dataset(config, "train", self.model.input)
        self.order = EpochShuffle(self.dataset, config.seed)
        self.loader = build_loader(config, self.dataset, self.order)
        self.metrics = build_metrics(config) if validate else []
        if validate:
            self.test_loader = build_loader(config, build_dataset(config, "test", self.model.input))
        use_onednn(self.model)
        self.optimizer = build_optimizer(config.OPTIMIZER, self.model)
        self.amp_level = _supported_amp_level(config.amp_level)
        self.scaler = paddle.amp.GradScaler(enable=self.amp_level != "O0")
        self.folder = output_folder(config.output_dir)
        self.progress: dict[str, Any] = {"epoch": 0, "iterations": 0, "best": None}
        if resume:
            load_weights(self.model, self.folder / "last.pdparams")
            self.progress = load_training(self.model, self.optimizer, self.folder / "last.pdopt")
            logger.info("resuming after epoch %d", self.progress["epoch"])
        else:
            self._put_aside()

    def fit(self) -> dict[str, float]:
        """Train all epochs that are left; returns the last numbers of the metrics."""
        from visualdl import LogWriter  # its import takes seconds, so only training pays for it

        save_config(self.config, self.folder / "config.yaml")
        numbers: dict[str, float] = {}
        with LogWriter(logdir=str(self.folder / "visualdl")) as self.board:
            while self.progress["epoch"] < self.config.epochs and not self._is_out_of_iterations():
                losses = self.train_epoch()
                self.progress["epoch"] += 1
                is_last = self.progress["epoch"] == self.config.epochs or self._is_out_of_iterations()
                measured: dict[str, float] = {}
                if self.metrics and (self.progress["epoch"] % self.config.val_interval == 0 or is_last):
                    numbers = measured = self.validate()
                self._record({"epoch": self.progress["epoch"], "train": losses, "test": measured})
                save_weights(self.model, self.folder / "last.pdparams")
                save_training(self.model, self.optimizer, self.progress, self.folder / "last.pdopt")
        logger.info("weights and logs are in %s", self.folder)
        return numbers

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training set; returns the mean of every part of the loss."""
        epoch = self.progress["epoch"]
        self.dataset.epoch = epoch
        seed_everything((self.config.seed * 100003 + epoch) % 2**32)  # a resumed run draws as an uninterrupted one does
        self.model.train()
        if self.config.max_iters is not None:
            left = self.config.max_iters - self.progress["iterations"]
            self.order.limit = left * self.config.batch_size
        count = len(self.loader)
        bar = Progress(f"epoch {epoch + 1}/{self.config.epochs}", count, self.config.log_interval)
        totals: dict[str, float] = {}
        schedule = self.optimizer._learning_rate
        for number, batch in enumerate(self.loader):
            if isinstance(schedule, Schedule):
                schedule.start_iteration(self.progress["iterations"])
            group = min(self.config.accumulation, count - number // self.config.accumulation * self.config.accumulation)
            is_last_of_group = (number + 1) % self.config.accumulation == 0 or number + 1 == count
            losses = self.train_step(batch, group, is_last_of_group)
            self.progress["iterations"] += 1
            facts = {**losses, "lr": self.optimizer.get_lr()}
            for name, value in facts.items():
                self.board.add_scalar(f"train/{name}", value, self.progress["iterations"])
                totals[name] = totals.get(name, 0.0) + value / count
            bar.step(len(batch["meta"]), facts)
        bar.close()
        if isinstance(schedule, Schedule):
            schedule.step()
        return totals

    def train_step(self, batch: Batch, group: int, is_last_of_group: bool) -> dict[str, float]:
        """Forward and backward of one batch; the weights move after the last batch of a group.

        Raises:
            FloatingPointError: the loss is not finite; names its parts and the samples.
        """
        with paddle.amp.auto_cast(enable=self.amp_level != "O0", level=self.amp_level):
            outputs = self.model(batch["inputs"], batch["targets"])
        losses = self.model.loss(outputs, batch["targets"])
        values = {name: float(value.item()) for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            parts = ", ".join(f"{name} {value:g}" for name, value in values.items())
            samples = ", ".join(meta["id"] for meta in batch["meta"])
            raise FloatingPointError(
                f"the loss is not finite in epoch {self.progress['epoch'] + 1}: {parts}; samples: {samples}. "
                f"The weights in {self.folder} are those of the last complete epoch; lower the learning rate or check "
                "these samples"
            )
        divisor = group if self.config.accumulation_reduction == "mean" else 1
        self.scaler.scale(losses["loss"] / divisor).backward()
        if is_last_of_group:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.clear_grad()
        return values

    def validate(self) -> dict[str, float]:
        """Measure the current weights and keep them as `best.pdparams` if they are the best so far."""
        numbers = evaluate(self._predict, self.test_loader, self.metrics, self.config.log_interval)
        logger.info("%s", table(numbers))
        for name, value in numbers.items():
            self.board.add_scalar(f"test/{name}", value, self.progress["iterations"])
        decisive = self.metrics[0]
        score, best = numbers[decisive.primary], self.progress["best"]
        if best is None or (score > best if decisive.higher_is_better else score < best):
            self.progress["best"] = score
            save_weights(self.model, self.folder / "best.pdparams")
            logger.info("best %s so far: %.4f", decisive.primary, score)
        return numbers

    def _predict(self, inputs: Any, meta: list[Any]) -> list[Prediction]:
        return self.model.postprocess(eager_network(self.model)(inputs), meta)

    def _is_out_of_iterations(self) -> bool:
        return self.config.max_iters is not None and self.progress["iterations"] >= self.config.max_iters

    def _put_aside(self) -> None:
        """Move the files of an earlier run to `earlier/`, so that they are not taken for those of this one."""
        names = ("config.yaml", "best.pdparams", "last.pdparams", "last.pdopt", "metrics.jsonl")
        found = [self.folder / name for name in names if (self.folder / name).exists()]
        if found:
            aside = output_folder(self.folder / "earlier")
            for path in found:
                path.replace(aside / path.name)
            logger.info("the files of an earlier run are now in %s", aside)

    def _record(self, facts: dict[str, Any]) -> None:
        with Path(self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def _supported_amp_level(level: AmpLevel) -> AmpLevel:
    if level != "O0" and paddle.device.get_device() == "cpu":
        logger.info("mixed precision %s is not available on a CPU with this Paddle; training in float32", level)
        return "O0"
    return level
