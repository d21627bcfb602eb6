from __future__ import annotations

import numpy as np

from paddlevideo.loader.collate import collate


def sample(count: int) -> dict[str, object]:
    targets = {"boxes": np.full((count, 4), 0.5, np.float32), "labels": np.arange(count)}
    return {"inputs": {"clip": np.full((3, 2), count)}, "targets": targets, "meta": {"id": str(count)}}


def test_pads_targets_to_the_longest() -> None:
    batch = collate([sample(1), sample(3)])
    assert batch["inputs"]["clip"].shape == (2, 3, 2)
    assert batch["targets"]["labels"].tolist() == [[0, -1, -1], [0, 1, 2]]
    assert batch["targets"]["boxes"][0].tolist() == [[0.5] * 4, [0] * 4, [0] * 4]
    assert [meta["id"] for meta in batch["meta"]] == ["1", "3"]


def test_keeps_one_row_when_there_is_nothing() -> None:
    batch = collate([sample(0)])
    assert batch["targets"]["labels"].tolist() == [[-1]]
    assert batch["targets"]["boxes"].shape == (1, 1, 4)


def test_scalars_are_stacked() -> None:
    one = {"inputs": {"x": np.zeros(1)}, "targets": {"label": np.array(4)}, "meta": {"id": "a"}}
    assert collate([one, one])["targets"]["label"].tolist() == [4, 4]
