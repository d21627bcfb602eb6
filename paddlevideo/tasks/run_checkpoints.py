"""The checkpoints of one training run: what goes into them, and how a run goes on from one."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import paddle

from paddlevideo.config import Config, save_config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint import load_weights, save_weights
from paddlevideo.tasks.checkpoint_store import (
    BEST,
    CONFIG,
    EARLIER,
    LAST,
    TRAINING,
    WEIGHTS,
    CheckpointStore,
    checkpoints_in,
    verify,
)
from paddlevideo.tasks.journal import NAME as JOURNAL
from paddlevideo.tasks.journal import journal_files
from paddlevideo.tasks.provenance import facts_of, warn_of_changes
from paddlevideo.tasks.training_state import RunProgress, StateHolder, States, load_states, save_states, states_of
from paddlevideo.utils import processes
from paddlevideo.utils.files import output_folder, put_aside
from paddlevideo.utils.logging import logger


class RunCheckpoints:
    """Saves and restores all that changes in training; of several processes all restore, and the first one writes.

    Args:
        config: the run's.
        model: whose weights change.
        holders: what changes besides, by name.
        progress: that of the run, one of the holders.
    """

    def __init__(
        self, config: Config, model: VideoModel, holders: dict[str, StateHolder], progress: RunProgress
    ) -> None:
        self.config, self.model, self.holders, self.progress = config, model, holders, progress
        self.facts = {**facts_of(config), "run": {"processes": processes.count()}}
        self.folder = output_folder(config.output_dir)
        self.store = CheckpointStore(self.folder, config.keep)
        self.newest = ""  # name of the one that was written or read last
        self.saved_at = time.monotonic()

    def save(self, is_best: bool = False) -> None:
        """Write a checkpoint of this moment, unless there is one.

        Raises:
            FloatingPointError: a weight is not finite; nothing is written.
        """
        name = f"{self.progress.epoch:05d}-{self.progress.iterations:08d}"
        if name == self.newest:
            return
        self._check_weights()
        if is_best:
            self.progress.best_checkpoint = name
        states = states_of(self.holders)
        if processes.is_first():
            self.store.save(name, partial(self._fill, states), self.facts, is_best)
        self.newest, self.saved_at = name, time.monotonic()

    def check_folder(self) -> None:
        """Notice in the process that writes that the folder of the run was removed; see `CheckpointStore`."""
        if processes.is_first():
            self.store.check_folder()

    def _check_weights(self) -> None:
        """Let no checkpoint take the place of a healthy one that a run could go on from."""
        for name, value in self.model.state_dict().items():
            if value.is_floating_point() and not bool(paddle.isfinite(value).all()):
                raise FloatingPointError(
                    f"{name} is not finite after {self.progress.iterations} batches, so this is not saved. "
                    f"{self.last_one()}; lower the learning rate, or clip the gradients (OPTIMIZER.clip)"
                )

    def last_one(self) -> str:
        """What a run that fails now leaves."""
        return (
            f"The last checkpoint is {self.store.root / self.newest}" if self.newest else "There is no checkpoint yet"
        )

    def is_due(self) -> bool:
        """Whether it is time for one, by the config's `save_minutes` and the clock of the first process."""
        minutes = self.config.save_minutes
        return minutes is not None and processes.gather(time.monotonic() - self.saved_at >= 60 * minutes)[0]

    def call_newest_best(self) -> None:
        """Let `best` mean the newest checkpoint, which itself does not know of it."""
        if processes.is_first():
            self.store.point(BEST, self.newest)

    def _fill(self, states: States, folder: Path) -> None:
        save_weights(self.model, folder / WEIGHTS)
        save_states(states, folder / TRAINING)
        save_config(self.config, folder / CONFIG)

    def resume(self, checkpoint: Path | None) -> None:
        """Go on where the run was when it wrote a checkpoint, the last one if None.

        Raises:
            ValueError: there is none, it is not one of this run, or it is damaged.
        """
        if checkpoint is None and not checkpoints_in(self.store.root):
            raise ValueError(f"{self.folder}: there is no run to go on with; leave out --resume to begin one")
        checkpoint, progress = checkpoint or self.folder / LAST, self.progress
        before = verify(checkpoint)
        if checkpoint.resolve().parent != self.store.root.resolve():
            raise ValueError(
                f"{checkpoint}: expected one of {self.store.root}, as a run goes on in its own folder; choose it with "
                "-o output_dir=..., or start a new run from these weights with -w"
            )
        warn_of_changes(before, self.facts, checkpoint)
        load_weights(self.model, checkpoint / WEIGHTS)
        load_states(self.holders, checkpoint / TRAINING)
        self.newest = checkpoint.resolve().name
        processes.wait()  # until all have read, as the first one moves files
        has_best = processes.is_first() and self.store.continue_from(
            self.newest, progress.best_checkpoint, [self.folder / JOURNAL]
        )
        if not processes.gather(has_best)[0]:
            if progress.best_checkpoint is not None:
                logger.warning("warning: %s is gone; what is best is decided anew", progress.best_checkpoint)
            progress.best = progress.best_checkpoint = None
        logger.info("resuming after %d epochs and %d batches", progress.epoch, progress.batch)

    def begin(self) -> None:
        """Move the files of an earlier run to a folder of `earlier/`, so that they are not taken for this one's."""
        if not processes.is_first():
            return
        files = [self.folder / CONFIG, *journal_files(self.folder), *self.store.contents]
        if aside := put_aside(files, self.folder, self.folder / EARLIER):
            logger.info("the files of an earlier run are now in %s", aside)
