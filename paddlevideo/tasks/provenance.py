"""What a run was made with: settings, code, packages and data, kept with every checkpoint and compared later."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import paddle

import paddlevideo
from paddlevideo.config import Config
from paddlevideo.utils.files import sha256_of
from paddlevideo.utils.logging import logger

Facts = dict[str, Any]
UNSAID = "nothing"
SHOWN = 80  # characters of a value


class Change(NamedTuple):
    """A fact that is not what it was; either may be missing."""

    key: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key}: was {_short(self.was)}, is {_short(self.now)}"


def facts_of(config: Config, phases: Sequence[str] = ("train", "test")) -> Facts:
    """The settings of a run, and what else its numbers depend on.

    Args:
        config: the run's.
        phases: whose datasets are looked at.
    """
    return {
        "config": {key: value for key, value in config.to_dict().items() if key != "output_dir"},
        "code": {"paddlevideo": paddlevideo.__version__, "commit": _commit()},
        "packages": {"paddle": paddle.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
        "data": {phase: fingerprint(config, phase) for phase in phases if config.DATASET.get(phase) is not None},
    }


def fingerprint(config: Config, phase: str) -> str:
    """A sum over the class names and the files that a dataset is described by, wherever they lie.

    Files are those that an argument of the dataset's node names, such as its index; media are not read.
    """
    digest = hashlib.sha256("\n".join(config.classes).encode())
    for key, value in sorted(config.DATASET[phase].items()):
        if isinstance(value, str) and Path(value).is_file():
            digest.update(f"\n{key} {sha256_of(Path(value))}".encode())
    return digest.hexdigest()


def changes(before: Facts, now: Facts) -> list[Change]:
    """What differs between facts, in the order of the earlier ones; kinds and data not looked at now do not."""
    data = before.get("data")  # from a file, so it may be anything
    seen = {phase: value for phase, value in data.items() if phase in now["data"]} if isinstance(data, Mapping) else {}
    kinds = {kind: value for kind, value in before.items() if kind in now}
    was, is_now = dict(_flat({**kinds, "data": seen})), dict(_flat(now))
    return [
        Change(key, was.get(key, UNSAID), is_now.get(key, UNSAID))
        for key in dict.fromkeys([*was, *is_now])
        if was.get(key, UNSAID) != is_now.get(key, UNSAID)
    ]


def warn_of_changes(before: Facts, now: Facts, where: Path) -> None:
    """Say what is not as it was when a checkpoint was written."""
    found = changes(before, now)
    if found:
        lines = "\n".join(f"  {change}" for change in found)
        logger.warning("warning: not everything is as it was when %s was written:\n%s", where, lines)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _commit() -> str:
    """The commit of the code, with `-dirty` behind it if files were changed; `none` outside of a repository."""
    root = Path(paddlevideo.__file__).parents[1]
    if not (root / ".git").exists():
        return "none"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
