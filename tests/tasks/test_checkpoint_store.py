from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from paddlevideo.tasks.checkpoint_store import CheckpointStore, checkpoints_in, facts_beside, verified, verify

FILES = ("weights.pdparams", "training.pdopt", "config.yaml")


def write(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for name in FILES:
            (folder / name).write_text(f"{name} of {text}")

    return fill


def store_of(folder: Path, *names: str, keep: int = 2, best: str = "") -> CheckpointStore:
    store = CheckpointStore(folder, keep)
    for name in names:
        store.save(name, write(name), {"by": name}, is_best=name == best)
    return store


def names_in(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.root.iterdir())


def test_the_newest_and_the_best_are_kept_and_linked(tmp_path: Path) -> None:
    store = store_of(tmp_path, "1", "2", "3", "4", "5", best="2")
    assert names_in(store) == ["2", "4", "5"]
    assert (tmp_path / "best.pdparams").read_text() == "weights.pdparams of 2"
    assert (tmp_path / "last.pdparams").read_text() == "weights.pdparams of 5"
    assert (tmp_path / "last" / "config.yaml").read_text() == "config.yaml of 5"
    assert facts_beside(tmp_path / "best.pdparams") == {"by": "2"}
    assert verify(tmp_path / "last") == {"by": "5"}
    moved = tmp_path.rename(tmp_path.with_name("moved"))  # links do not know where they are
    assert verified(moved / "best.pdparams").read_text() == "weights.pdparams of 2"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_what_to_use_instead(tmp_path: Path, name: str) -> None:
    store = store_of(tmp_path, "1", "2", "3", keep=3)
    (store.root / "3" / name).write_text(f"{name} of 4")
    with pytest.raises(ValueError, match=rf"last/{name}: damaged: expected sha256 \w{{64}}, got \w{{64}}; ") as caught:
        verify(tmp_path / "last")
    assert f"{store.root / '2'} is whole: give --resume {store.root / '2'}, or -w {store.root}/2/weights" in str(
        caught.value
    )
    (store.root / "2" / name).unlink()
    with pytest.raises(ValueError, match=rf"2/{name}: damaged: .* got no file; .*checkpoints/1 is whole"):
        verify(store.root / "2")
    (store.root / "1" / name).unlink()
    with pytest.raises(ValueError, match=r"no other checkpoint beside .*checkpoints/3 that is whole"):
        verify(tmp_path / "last")


def test_damaged_weights_are_found_wherever_they_are_read(tmp_path: Path) -> None:
    store_of(tmp_path, "1", "2")
    (tmp_path / "last" / "weights.pdparams").write_text("other")
    with pytest.raises(ValueError, match=r"checkpoints/2/weights\.pdparams: damaged: .*checkpoints/1 is whole"):
        verified(tmp_path / "last.pdparams")
    alone = tmp_path / "copy.pdparams"
    alone.write_text("any")
    assert verified(alone) == alone
    assert facts_beside(alone) is None


@pytest.mark.parametrize("content", ["", "[", "[1]", "{}", json.dumps({"format": "training-checkpoint", "version": 9})])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    store_of(tmp_path, "1", "2")
    (tmp_path / "last" / "checkpoint.json").write_text(content)
    with pytest.raises(ValueError, match=r"last/checkpoint\.json: damaged, .*; .*checkpoints/1 is whole"):
        verify(tmp_path / "last")


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"last/checkpoint\.json: no such file.*there is no other checkpoint"):
        verify(tmp_path / "last")
    store_of(tmp_path, "1")
    (tmp_path / "last").unlink()
    with pytest.raises(ValueError, match=r"last/checkpoint\.json: no such file.*checkpoints/1 is whole"):
        verify(tmp_path / "last")


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    store = store_of(tmp_path, "1")

    def fail(folder: Path) -> None:
        (folder / "weights.pdparams").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.save("2", fail, {}, is_best=True)
    assert names_in(store) == ["1"]
    assert verify(tmp_path / "last") == {"by": "1"}
    assert not (tmp_path / "best").exists()


def test_going_on_from_an_earlier_one(tmp_path: Path) -> None:
    store = store_of(tmp_path, "1", "2", "3", keep=3, best="3")
    (store.root / ".4.99.tmp").mkdir()  # a run was killed here
    assert store.continue_from("2", best="1")
    assert names_in(store) == ["1", "2"]
    assert verify(tmp_path / "last") == {"by": "2"}
    assert facts_beside(tmp_path / "best.pdparams") == {"by": "1"}
    assert [path.name for path in checkpoints_in(tmp_path / "earlier" / "checkpoints")] == ["3"]
    assert not store.continue_from("2", best="0")  # which was deleted before
    assert facts_beside(tmp_path / "best.pdparams") == {"by": "1"}
    store.point("best", "2")
    assert not store.continue_from("1", best=None)
    assert not (tmp_path / "best.pdparams").is_symlink()  # as 2 is not there any more
    store.save("3", write("again"), {}, is_best=False)
    assert (tmp_path / "last.pdparams").read_text() == "weights.pdparams of again"


def test_a_copy_that_lost_its_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    with pytest.raises(ValueError, match=r"last: expected a link .* got a folder; copy runs with `cp -a`"):
        CheckpointStore(tmp_path, 2)
