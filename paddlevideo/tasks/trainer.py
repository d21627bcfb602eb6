"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from paddlevideo.config import Config, save_config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.registry import construct
from paddlevideo.solver import Clip, Schedule, build_optimizer, freeze
from paddlevideo.tasks.answers import answers_of
from paddlevideo.tasks.averaging import WeightAverage
from paddlevideo.tasks.board import Board, Shown
from paddlevideo.tasks.checkpoint import start_from
from paddlevideo.tasks.checkpoint_store import CONFIG
from paddlevideo.tasks.evaluation import evaluate, table
from paddlevideo.tasks.journal import Journal, SilentJournal
from paddlevideo.tasks.parts import (
    EpochShuffle,
    build_dataset,
    build_loader,
    build_metrics,
    build_model,
    check_inference,
)
from paddlevideo.tasks.precision import precision_of
from paddlevideo.tasks.predictor import eager_network
from paddlevideo.tasks.run_checkpoints import RunCheckpoints
from paddlevideo.tasks.step_times import StepTimes
from paddlevideo.tasks.training_state import Gradients, OptimizerState, RunProgress, Scaler, StateHolder
from paddlevideo.types import Batch, Meta, Prediction
from paddlevideo.utils import processes
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.device import seed_everything
from paddlevideo.utils.logging import Progress, logger
from paddlevideo.utils.norms import average_statistics, synchronise_norms
from paddlevideo.utils.signals import StoppedError, StopSignals


class Trainer:
    """Builds all that a config names for training, and trains.

    Into `output_dir` go `config.yaml`, checkpoints (see `checkpoint_store`) with `best.pdparams` and `last.pdparams`,
    and the journal, `metrics.jsonl` and VisualDL scalars; those of an earlier run go to `earlier/`.

    Args:
        config: the run's.
        weights: trained weights to start from, a path or a URL, after those that the config calls `pretrained`.
        validate: whether to measure after epochs, and so to know the best weights.
        resume: continue from the last checkpoint in `output_dir`, or from another one there.
        profile: measure where the time of a step goes, and tell after each epoch.
    """

    def __init__(
        self,
        config: Config,
        weights: str | Path | None = None,
        validate: bool = True,
        resume: bool | Path = False,
        profile: bool = False,
    ) -> None:
        seed_everything(config.seed % 2**32)
        self.config = config
        self.shown: Shown = construct("visualdl", Shown, config.visualdl)
        self.times = StepTimes(profile, config.num_workers)
        self.model = self._build_model(() if resume else (*config.pretrained, *([] if weights is None else [weights])))
        check_inference(config, self.model.input)
        self.dataset = build_dataset(config, "train", self.model.input)
        self.order = EpochShuffle(self.dataset, config.seed)
        self.loader = build_loader(config, self.dataset, self.order)
        self.epoch_batches = len(self.loader)
        self.metrics = build_metrics(config) if validate else []
        if validate:
            self.test_loader = build_loader(config, build_dataset(config, "test", self.model.input))
        self.optimizer, self.clip = build_optimizer(config.OPTIMIZER, self.model), Clip(config.OPTIMIZER.get("clip"))
        self.precision = precision_of(config)
        self.scaler = self.precision.scaler()
        self.average = None if config.ema is None else WeightAverage(self.model, config.ema)
        self.optimizer_state = OptimizerState(self.model, self.optimizer)
        self.progress, self.gradients = RunProgress(), Gradients(self.model)
        self.holders: dict[str, StateHolder] = {  # what changes in training, besides the weights
            "optimizer": self.optimizer_state,
            "gradients": self.gradients,
            "scaler": Scaler(self.scaler),
            "progress": self.progress,
            **({} if self.average is None else {"average": self.average}),
        }
        self.checkpoints = RunCheckpoints(config, self.model, self.holders, self.progress)
        self.folder = self.checkpoints.folder
        if resume:
            self.checkpoints.resume(None if resume is True else resume)
        else:
            self.checkpoints.begin()

    def _build_model(self, weights: Sequence[str | Path]) -> VideoModel:
        """The model as it begins to train, equal in all processes."""
        model = build_model(self.config)
        for location in weights:
            start_from(model, location, self.config.classes)
        processes.copy_from_first(model)
        freeze(model, self.config.OPTIMIZER.get("freeze", ()))
        if self.config.sync_bn:
            synchronise_norms(model)
        use_onednn(model)
        return model

    def fit(self) -> dict[str, float]:
        """Train all epochs that are left; returns the last numbers of the metrics.

        Raises:
            StoppedError: a signal asked for it; where the run was is saved.
            FloatingPointError: the loss or a weight is not finite; the checkpoint before stays the last one.
        """
        numbers: dict[str, float] = {}
        with self._open_journal() as self.journal, self._open_board() as self.board, StopSignals() as self.signals:
            self.board.network(self.model)
            if not self._has_more():
                logger.info("this run is complete; raise epochs or max_iters to go on")
            try:
                while self._has_more():
                    self.train_epoch()
                    numbers = self._end_epoch() or numbers
            except StoppedError:
                self._save()
                raise
        logger.info("weights and logs are in %s", self.folder)
        return numbers

    def _open_journal(self) -> SilentJournal:
        if not processes.is_first():
            return SilentJournal()
        save_config(self.config, self.folder / CONFIG)
        return Journal(self.folder, self.progress.journal)

    def _open_board(self) -> Board:
        answers = answers_of(self.model.postprocess, self.config.classes)
        return Board(self.folder, self.shown if processes.is_first() else Shown(), answers)

    def train_epoch(self) -> None:
        """Train on the batches of the current epoch that are left, or as many as `max_iters` allows."""
        progress, config = self.progress, self.config
        left = self.epoch_batches - progress.batch
        if config.max_iters is not None:
            left = min(left, config.max_iters - progress.iterations)
        if left == 0:  # the run was stopped while it measured
            return
        self.dataset.epoch = progress.epoch
        together = config.batch_size * processes.count()
        self.order.first = progress.batch * together
        self.order.limit = self.order.first + left * together
        self.model.train()
        bar = Progress(f"epoch {progress.epoch + 1}/{config.epochs}", left, config.log_interval)
        for batch in self.times.each(self.loader):
            bar.step(len(batch["meta"]) * processes.count(), self._train_batch(batch))
            self.signals.check()
            if self.checkpoints.is_due():
                self._save()
        bar.close()
        if told := self.times.table():
            logger.info("%s", told)

    def _train_batch(self, batch: Batch) -> dict[str, float]:
        """Train on the next batch; returns the parts of its loss and the learning rate."""
        progress, size, count = self.progress, self.config.accumulation, self.epoch_batches
        # A resumed run draws what an uninterrupted one does, since chance depends on nothing but this number.
        seed_everything(_draw(self.config.seed, progress.iterations, processes.rank()))
        if isinstance(self._schedule, Schedule):
            self._schedule.start_iteration(progress.iterations)
        group = min(size, count - progress.batch // size * size)
        is_last_of_group = (progress.batch + 1) % size == 0 or progress.batch + 1 == count
        losses = self._of_all_processes(self.train_step(batch, group, is_last_of_group))
        numbers = {**losses, "lr": self.optimizer.get_lr()}
        progress.batch += 1
        progress.iterations += 1
        for name, value in numbers.items():
            progress.totals[name] = progress.totals.get(name, 0.0) + value
        if progress.iterations % self.config.log_interval == 0:
            self.checkpoints.check_folder()
            self.journal.write(progress.iterations, progress.epoch + 1, batch=numbers)
        return numbers

    def train_step(self, batch: Batch, group: int, is_last_of_group: bool) -> dict[str, float]:
        """Forward and backward of one batch; the weights move after the last batch of a group.

        Raises:
            FloatingPointError: the loss is not finite; names its parts and the samples.
        """
        with self.times.part("forward"), self.precision.forward():
            outputs = self.model(batch["inputs"], batch["targets"])
        with self.times.part("loss"):
            losses = self.model.loss(outputs, batch["targets"])
            values = {name: float(value.item()) for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            parts = ", ".join(f"{name} {value:g}" for name, value in values.items())
            samples = ", ".join(meta["id"] for meta in batch["meta"])
            raise FloatingPointError(
                f"the loss is not finite in epoch {self.progress.epoch + 1}: {parts}; samples: {samples}. "
                f"{self.checkpoints.last_one()}; lower the learning rate or check these samples"
            )
        self.gradients.put_back()
        divisor = group if self.config.accumulation_reduction == "mean" else 1 / processes.count()
        with self.times.part("backward"):
            self.scaler.scale(losses["loss"] / divisor).backward()
        if is_last_of_group:
            self._move_weights()
        return values

    def _move_weights(self) -> None:
        if processes.count() > 1:
            with self.times.part("exchange"):
                processes.average_gradients(self.model.parameters())
        with self.times.part("optimizer"):
            self.scaler.unscale_(self.optimizer)
            self.clip(self.model.parameters())
            self.optimizer_state.step(self.scaler)
            self.scaler.update()
            self.optimizer.clear_grad(set_to_zero=False)  # no gradient is what a resumed run begins with
            if self.average is not None:
                self.average.update()

    def _of_all_processes(self, losses: dict[str, float]) -> dict[str, float]:
        """The loss and its parts over the batches of all processes; losses that are summed up are so here too."""
        number = processes.count() if self.config.accumulation_reduction == "sum" else 1
        means = processes.means(losses)
        return {name: value if name in self.model.shares else value * number for name, value in means.items()}

    def validate(self) -> tuple[dict[str, float], bool]:
        """Measure the current weights; returns the numbers, and whether they are the best so far."""
        predictions: dict[str, Prediction] = {}

        def keep(meta: Meta, prediction: Prediction) -> None:
            predictions[meta["id"]] = prediction

        with self._result():
            numbers = evaluate(
                self._predict,
                self.test_loader,
                self.metrics,
                self.config.log_interval,
                keep if self.shown.measures else None,
            )
        if self.shown.measures:
            every = {name: one for part in processes.gather(predictions) for name, one in part.items()}
            self.board.measurement(self.test_loader.dataset, every, self.progress.iterations)
        logger.info("%s", table(numbers))
        decisive = self.metrics[0]
        score, best = numbers[decisive.primary], self.progress.best
        return numbers, best is None or (score > best if decisive.higher_is_better else score < best)

    def _measure(self) -> tuple[dict[str, float], bool]:
        """`validate`; the epoch is saved before an error of the test set ends the run, so that --resume measures it."""
        try:
            return self.validate()
        except (OSError, ValueError):
            if processes.count() == 1:  # the others are elsewhere, and saving takes all of them
                self._save()
            raise

    def _end_epoch(self) -> dict[str, float]:
        """Measure, tell and save at the end of an epoch, or where `max_iters` cuts it; returns what was measured."""
        progress, number = self.progress, self.progress.epoch + 1
        is_cut = progress.batch < self.epoch_batches
        if is_cut:
            self._save()  # before it is measured, so that a run which goes on later knows nothing of the cut
        is_last = number == self.config.epochs or self._is_out_of_iterations()
        measured: dict[str, float] = {}
        is_best = False
        if self.metrics and (number % self.config.val_interval == 0 or is_last):
            measured, is_best = self._measure()
        self._tell(measured, is_best)
        self.board.weights(self.model, progress.iterations)
        if is_cut:
            if is_best:
                self.checkpoints.call_newest_best()
            return measured
        progress.epoch, progress.batch, progress.totals = number, 0, {}
        if isinstance(self._schedule, Schedule):
            self._schedule.step()
        if is_best:
            progress.best = measured[self.metrics[0].primary]
        if is_best or is_last or number % self.config.save_interval == 0:
            self._save(is_best)
        return measured

    def _save(self, is_best: bool = False) -> None:
        self.progress.journal = self.journal.position()
        with self._result():
            self.checkpoints.save(is_best)

    @contextmanager
    def _result(self) -> Iterator[None]:
        """The model has the weights that are measured and saved: the average, if there is one."""
        average_statistics(self.model)
        if self.average is None:
            yield
            return
        with self.average.shown():
            average_statistics(self.model)
            yield

    def _tell(self, measured: dict[str, float], is_best: bool) -> None:
        """The line of an epoch in the journal and in the log."""
        progress, number = self.progress, self.progress.epoch + 1
        means = {name: total / progress.batch for name, total in progress.totals.items()}
        self.journal.write(progress.iterations, number, train=means, test=measured)
        shown = [f"{name} {value:.4g}" for name, value in means.items()]
        if measured:
            decisive = self.metrics[0].primary
            shown.append(f"{decisive} {measured[decisive]:.4f}" + (", the best so far" if is_best else ""))
        count = f"{progress.batch}/{self.epoch_batches} batches"
        logger.info("epoch %d/%d, %s: %s", number, self.config.epochs, count, " ".join(shown))

    @property
    def _schedule(self) -> Any:
        """The optimizer's schedule, or a plain number."""
        return self.optimizer._learning_rate

    def _predict(self, inputs: Any, meta: list[Any]) -> list[Prediction]:
        self.signals.check()
        return self.model.postprocess(eager_network(self.model)(inputs), meta)

    def _has_more(self) -> bool:
        return self.progress.epoch < self.config.epochs and not self._is_out_of_iterations()

    def _is_out_of_iterations(self) -> bool:
        return self.config.max_iters is not None and self.progress.iterations >= self.config.max_iters


def _draw(*numbers: int) -> int:
    """A seed that follows from numbers from 0."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
