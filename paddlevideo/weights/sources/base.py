"""What is known of a source of weights."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Renames = tuple[tuple[str, str], ...]  # regular expressions, as for re.sub

TORCH_NORM: Renames = ((r"\.running_mean$", "._mean"), (r"\.running_var$", "._variance"))
TORCH_COUNTERS = (r"\.num_batches_tracked$",)


@dataclass(frozen=True)
class Source:
    """A program whose weights can be read.

    Args:
        title: what a user calls it.
        marks: regular expressions; a state dict is of this source if each of them is found in one of its names.
        renames: from its names to ours, applied in this order.
        left_out: regular expressions of tensors that no model of ours has.
        whole_parts: whether a part of a model, such as a branch, that is in a file is there as a whole.
    """

    title: str
    marks: tuple[str, ...]
    renames: Renames
    left_out: tuple[str, ...] = ()
    whole_parts: bool = True

    def knows(self, names: Iterable[str]) -> bool:
        """Whether a state dict with these names is of this source."""
        names = list(names)
        return all(any(re.search(mark, name) for name in names) for mark in self.marks)

    def our_name(self, name: str) -> str | None:
        """What we call a tensor, or None if it is left out."""
        if any(re.search(pattern, name) for pattern in self.left_out):
            return None
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name
