from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

    with pytest.raises(OSError, match=r"2: this checkpoint cannot be written \(disk full\); those before it are whole"):
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
    assert [path.name for path in checkpoints_in(tmp_path / "earlier" / "1" / "checkpoints")] == ["3"]
    assert not store.continue_from("2", best="0")  # which was deleted before
    assert facts_beside(tmp_path / "best.pdparams") == {"by": "1"}
    store.point("best", "2")
    assert not store.continue_from("1", best=None)
    assert not (tmp_path / "best.pdparams").is_symlink()  # as 2 is not there any more
    assert facts_beside(tmp_path / "earlier" / "2" / "best.pdparams") == {"by": "2"}
    store.save("3", write("again"), {}, is_best=False)
    assert (tmp_path / "last.pdparams").read_text() == "weights.pdparams of again"


def test_what_is_left_of_a_later_one_is_not_in_the_way(tmp_path: Path) -> None:
    store = store_of(tmp_path, "1", "2", keep=3)
    (store.root / "2" / "checkpoint.json").unlink()
    (tmp_path / "journal").write_text("1, 2")
    store.continue_from("1", None, [tmp_path / "journal"])
    assert [path.name for path in store.root.iterdir()] == ["1"]
    assert (tmp_path / "journal").read_text() == (tmp_path / "earlier" / "1" / "journal").read_text() == "1, 2"
    (store.root / "2" / "part").mkdir(parents=True)
    store.save("2", write("2"), {"by": "2"}, is_best=False)
    assert verify(tmp_path / "last") == {"by": "2"}
    assert (tmp_path / "earlier" / "2" / "checkpoints" / "2" / "part").is_dir()


def test_whoever_is_stopped_while_going_back_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(tmp_path, "1", "2", keep=3, best="2")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", stop_at(Path.replace, "2"))
        store.continue_from("1", None)
    assert verify(tmp_path / "last") == {"by": "1"}
    assert not store.continue_from("1", None)
    assert names_in(store) == ["1"]


def stop_at(replace: Any, name: str) -> Any:
    """A replacement that a signal stops at a path of this name."""

    def stopped(path: Path, target: Path) -> Path:
        if path.name == name:
            raise KeyboardInterrupt
        return replace(path, target)

    return stopped


def test_a_copy_that_lost_its_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    with pytest.raises(ValueError, match=r"last: expected a link .* got a folder; copy runs with `cp -a`"):
        CheckpointStore(tmp_path, 2)


def test_a_folder_that_is_removed_while_a_run_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    store = store_of(tmp_path / "out")
    store.save("1", write("1"), {}, is_best=False)
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"out: this folder, .* was removed .*; checkpoint 1 was the last"):
        store.save("2", write("2"), {}, is_best=False)
