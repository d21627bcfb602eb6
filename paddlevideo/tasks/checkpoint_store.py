"""Checkpoints of a run: folders that are there whole or not at all, with sums of their files.

output/checkpoints/0003-00000420/   after 3 epochs and 420 batches
    weights.pdparams                the network
    training.pdopt                  what else a resumed run needs
    config.yaml                     the run's settings
    checkpoint.json                 sha256 of these files, and what the run was made with
output/last, output/best            links to two of the folders
output/last.pdparams, ...           links to the weights in them
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from paddlevideo.tasks.provenance import Facts
from paddlevideo.utils.files import TEMPORARY, check_size, put_aside, remove, replacing, sha256_of, write_json
from paddlevideo.utils.logging import logger
from paddlevideo.utils.typed import typed

WEIGHTS, TRAINING, CONFIG, MANIFEST = "weights.pdparams", "training.pdopt", "config.yaml", "checkpoint.json"
FORMAT, VERSION = "training-checkpoint", 1
EARLIER = "earlier"  # where the files of earlier runs go
LARGEST = 1 << 24  # bytes of a manifest
CHECKPOINTS, LAST, BEST = "checkpoints", "last", "best"


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """The content of `checkpoint.json`; facts are compared key by key, so whatever they are, it is shown."""

    format: Literal["training-checkpoint"]
    version: Literal[1]
    sha256: dict[str, Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]]
    facts: Facts


class CheckpointStore:
    """The checkpoints in a run's output folder.

    Args:
        folder: the run's.
        keep: how many of the newest to keep, besides the one that is called best.

    Raises:
        ValueError: there is a folder where a link should be.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self.root = folder / CHECKPOINTS
        self.newest_saved = ""  # by this process, or that it goes on from
        for link in (folder / LAST, folder / BEST):
            if link.is_dir() and not link.is_symlink():
                raise ValueError(
                    f"{link}: expected a link to one of {self.root}, got a folder; copy runs with `cp -a` or `rsync "
                    "-a`, which keep links, or delete it"
                )

    @property
    def contents(self) -> list[Path]:
        """All that belongs to the store."""
        links = [self.folder / f"{name}{ending}" for name in (LAST, BEST) for ending in ("", ".pdparams")]
        return [self.root, *links]

    def check_folder(self) -> None:
        """Notice that the folder of the run, or its newest checkpoint, was removed.

        Raises:
            FileNotFoundError: it was; says what had been saved in it.
        """
        if not self.folder.is_dir() or (self.newest_saved and not (self.root / self.newest_saved).is_dir()):
            saved = f"checkpoint {self.newest_saved}" if self.newest_saved else "no checkpoint"
            raise FileNotFoundError(
                f"{self.folder}: this folder, or its newest checkpoint, was removed while the run was at work; {saved} "
                "was the last one saved there, and nothing after it is saved. Put the folder back and go on with "
                "--resume, or start the run again"
            )

    def save(self, name: str, fill: Callable[[Path], object], facts: Facts, is_best: bool) -> None:
        """Write a checkpoint, link to it, and delete what need not be kept.

        Args:
            name: sorts after those of earlier checkpoints.
            fill: writes files into the folder that it is given.
            facts: what the run was made with.
            is_best: whether it is the best so far.
        """
        self.check_folder()
        self.root.mkdir(exist_ok=True)
        put_aside([self.root / name], self.folder, self.folder / EARLIER)  # what is left of one that was damaged
        try:
            with replacing(self.root / name) as folder:
                folder.mkdir()
                fill(folder)
                sums = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
                write_json(folder / MANIFEST, {"format": FORMAT, "version": VERSION, "sha256": sums, "facts": facts})
        except OSError as error:
            raise OSError(
                f"{self.root / name}: this checkpoint cannot be written ({error.strerror or error}); those before it "
                "are whole; make room and go on with --resume"
            ) from error
        self.newest_saved = name
        if is_best:
            self.point(BEST, name)
        self.point(LAST, name)
        held = {(self.folder / link).resolve() for link in (LAST, BEST)}
        for old in checkpoints_in(self.root)[self.keep :]:
            if old.resolve() not in held:
                _delete(old)

    def point(self, link: str, name: str) -> None:
        """Let `last` or `best` mean a checkpoint from now on."""
        with replacing(self.folder / link) as path:
            path.symlink_to(Path(self.root.name, name))
        weights = self.folder / f"{link}.pdparams"
        if not weights.is_symlink():
            with replacing(weights) as path:
                path.symlink_to(Path(link, WEIGHTS))

    def continue_from(self, name: str, best: str | None, beside: Sequence[Path] = ()) -> bool:
        """Make a checkpoint the last one again; later ones, and what is left of such, go to `earlier/`.

        Args:
            name: of the checkpoint.
            best: the one that was the best then, if there was one.
            beside: files that go on with the run, of which later checkpoints get a copy.

        Returns:
            Whether that one is still there; if not, `best` stays what it is until there is a new one.
        """
        for unfinished in [
            *self.root.glob(f".*{TEMPORARY}"),
            *self.folder.glob(f".{LAST}.*"),
            *self.folder.glob(f".{BEST}.*"),
        ]:
            remove(unfinished)
        self.newest_saved = name
        self.point(LAST, name)  # first, so that whoever is stopped in here can go on from it
        has_best = best is not None and (self.root / best).is_dir()
        if best is not None and has_best:
            self.point(BEST, best)
        later = sorted(path for path in self.root.glob("[!.]*") if path.name > name)
        moved = [*later]
        link = self.folder / BEST
        if not has_best and (not link.exists() or link.resolve().name in {path.name for path in later}):
            moved += [link, self.folder / f"{BEST}.pdparams"]
        aside = put_aside(moved, self.folder, self.folder / EARLIER)
        if aside is not None:
            for path in (path for path in beside if path.is_file()):
                shutil.copy2(path, aside / path.name)
            logger.info("put aside in %s: %s", aside, ", ".join(path.name for path in later))
        return has_best


def checkpoints_in(root: Path) -> list[Path]:
    """The checkpoints of a folder, newest first."""
    return sorted((path for path in root.glob("[!.]*") if (path / MANIFEST).is_file()), reverse=True)


def _delete(checkpoint: Path) -> None:
    """Delete a checkpoint so that half of one never has a checkpoint's name."""
    hidden = checkpoint.with_name(f".{checkpoint.name}{TEMPORARY}")
    checkpoint.replace(hidden)
    remove(hidden)


def verify(folder: Path, names: Sequence[str] = ()) -> Facts:
    """Compare files of a checkpoint with their sums.

    Args:
        folder: the checkpoint.
        names: of the files; all if empty.

    Returns:
        What the run was made with.

    Raises:
        ValueError: this is no checkpoint, or a file is missing or damaged; names it, and the newest other checkpoint
            that is whole.
    """
    try:
        return _check(folder, names)
    except (OSError, ValueError) as error:
        raise ValueError(f"{error}; {_instead_of(folder.resolve())}") from error


def _check(folder: Path, names: Sequence[str] = ()) -> Facts:
    manifest = read_manifest(folder)
    sums = manifest["sha256"]
    for name in names or dict.fromkeys([WEIGHTS, TRAINING, CONFIG, *sums]):
        path = folder / Path(name).name
        found = sha256_of(path) if path.is_file() else "no file"
        if found != sums.get(name):
            raise ValueError(f"{path}: damaged: expected sha256 {sums.get(name)}, got {found}")
    return manifest["facts"]


def _instead_of(damaged: Path) -> str:
    """Which checkpoint could be used instead of a damaged or missing one."""
    for other in [*checkpoints_in(damaged.parent), *checkpoints_in(damaged.parent / CHECKPOINTS)]:
        with suppress(OSError, ValueError):
            _check(other)
            return f"{other} is whole: give --resume {other}, or -w {other / WEIGHTS}"
    return f"there is no other checkpoint beside {damaged} that is whole"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of a checkpoint's `checkpoint.json`: `sha256` by file, and `facts`.

    Raises:
        ValueError: no such file, or not written by this program.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{path}: no such file, so this is no checkpoint")
    problem, remedy = f"{path}: damaged, or of another program or version", "take another checkpoint"
    check_size(path, LARGEST)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{problem}: not JSON ({error})") from error
    manifest = typed(found, _Manifest, problem, remedy)
    return {"sha256": manifest.sha256, "facts": manifest.facts}


def verified(weights: Path) -> Path:
    """The path itself; weights that lie in a checkpoint are compared with their sum first, see `verify`."""
    real = weights.resolve()
    if (real.parent / MANIFEST).is_file():
        verify(real.parent, (real.name,))
    return weights


def facts_beside(weights: str | Path) -> Facts | None:
    """What the run that wrote some weights was made with, if they lie in a checkpoint."""
    folder = Path(weights).resolve().parent
    return read_manifest(folder)["facts"] if (folder / MANIFEST).is_file() else None
