from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.loader.batches import SequentialBatches
from paddlevideo.loader.datasets import FeatureDataset, FeatureFile
from paddlevideo.loader.media.live import Connection
from paddlevideo.modeling.inputs import FeatureInput


def write(folder: Path, name: str, features: np.ndarray, duration: float = 20.0) -> None:
    np.save(folder / f"{name}.npy", features.astype(np.float32))
    (folder / f"{name}.json").write_text(json.dumps({"duration": duration}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    annotation = {}
    for number in range(3):
        write(tmp_path, f"v_{number}", rng.random((5 + number, 4)))
        rows = [{"segment": [k, k + 2.5], "label": "Diving"} for k in range(number)]
        annotation[f"v_{number}"] = {"duration_second": 20.0, "subset": "validation", "annotations": rows}
    (tmp_path / "a.json").write_text(json.dumps(annotation))
    return tmp_path


def dataset(folder: Path, channels: int = 4, **settings: Any) -> FeatureDataset:
    arguments: dict[str, Any] = {"annotation": str(folder / "a.json"), "features": str(folder), "subset": "validation"}
    arguments |= {"classes": ["Diving"], "transforms": [], "input": FeatureInput(channels, 6)}
    return FeatureDataset(**{**arguments, **settings})


def test_a_sample(folder: Path) -> None:
    sample = dataset(folder)[1]
    np.testing.assert_array_equal(sample["inputs"]["features"], np.load(folder / "v_1.npy").T)
    np.testing.assert_array_equal(sample["targets"]["segments"], [[0, 2.5]])
    assert sample["targets"]["duration"] == 20 and sample["targets"]["labels"].tolist() == [0]
    assert sample["meta"] == {"id": "1", "duration": 20.0}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_pad_segments(folder: Path, num_workers: int) -> None:
    (batch,) = SequentialBatches(dataset(folder), 3, num_workers)
    assert batch["inputs"]["features"].shape == [3, 4, 6]
    assert batch["targets"]["segments"].shape == [3, 2, 2]
    assert batch["targets"]["labels"].numpy().tolist() == [[-1, -1], [0, -1], [0, 0]]
    assert batch["targets"]["duration"].numpy().tolist() == [20.0] * 3
    assert [meta["id"] for meta in batch["meta"]] == ["0", "1", "2"]


def test_names_of_files_may_have_a_prefix(folder: Path) -> None:
    content = json.loads((folder / "a.json").read_text())
    (folder / "a.json").write_text(json.dumps({name.removeprefix("v_"): node for name, node in content.items()}))
    with pytest.raises(FileNotFoundError, match=r"/0\.npy"):
        dataset(folder)[0]
    assert dataset(folder, prefix="v_")[0]["meta"]["id"] == "0"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_file_that_is_missing_stops_the_batches_and_is_named(folder: Path, num_workers: int) -> None:
    (folder / "v_2.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"v_2\.npy: no such file of features"):
        list(SequentialBatches(dataset(folder), 1, num_workers))


def test_features_of_another_width_or_without_a_value_are_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"1: its features have 4 numbers each, MODEL.input.channels is 5"):
        dataset(folder, channels=5)[1]
    write(folder, "v_1", np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match=r"v_1\.npy: row 0 of 3 has nan or inf"):
        dataset(folder)[1]


@pytest.mark.parametrize("truths", [True, False])
def test_made_up_samples_look_like_real_ones(folder: Path, truths: bool) -> None:
    real = dataset(folder)
    for sample in FeatureDataset.made_up({}, ["Diving"], real.input, truths):
        for name, value in real.annotation(2)["targets"].items():
            assert (sample["targets"][name].dtype, sample["targets"][name].ndim) == (value.dtype, value.ndim), name
        assert sample["meta"].keys() == real.annotation(2)["meta"].keys()
        assert bool(len(sample["targets"]["labels"])) == truths


def test_a_users_file_is_what_testing_reads(folder: Path) -> None:
    (folder / "a.json").unlink()
    sources = FeatureFile.sources(str(folder), Connection())
    assert [source.name for source in sources] == ["v_0", "v_1", "v_2"]
    (sample,) = FeatureFile(sources[1], [], FeatureInput(4, 6))
    np.testing.assert_array_equal(sample["inputs"]["features"], np.load(folder / "v_1.npy").T)
    assert sample["meta"] == {"id": "v_1", "duration": 20.0}


def test_a_stride_makes_no_sense_for_one_sample(folder: Path) -> None:
    (source,) = FeatureFile.sources(str(folder / "v_0.npy"), Connection())
    with pytest.raises(ValueError, match="stride should be 1"):
        FeatureFile(source, [], FeatureInput(4, 6), stride=2)
