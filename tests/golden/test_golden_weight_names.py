"""The name tables of all sources are complete in both directions: nothing of a file unused, nothing of ours unset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from paddlevideo.config import read_yaml
from paddlevideo.registry import BACKBONES, MODELS
from paddlevideo.tasks import parts
from paddlevideo.weights.darknet_file import LAYOUTS
from paddlevideo.weights.sources import SOURCES, Source
from tests.conftest import REPOSITORY, golden_path
from tests.golden.test_golden_yowo_backbones3d import NODES

assert parts.REGISTERED
Shapes = dict[str, list[int]]


def renamed(theirs: Mapping[str, Any]) -> tuple[str, Shapes]:
    """What the only source that knows these names is called, and their shapes by our names."""
    knowing: list[Source] = [source for source in SOURCES if source.knows(theirs)]
    assert len(knowing) == 1
    names = {name: knowing[0].our_name(name) for name in theirs}
    left_out = [old for old, new in names.items() if new is None]
    assert all(name.endswith("num_batches_tracked") for name in left_out)
    assert len(set(names.values())) == len(names) - len(left_out) + bool(left_out)
    return knowing[0].title, {new: list(theirs[old]) for old, new in names.items() if new is not None}


@cache
def shapes_of(config: str, num_classes: int) -> Shapes:
    node = read_yaml(REPOSITORY / "configs" / "localization" / f"{config}.yaml")
    base = node.pop("_base_", None)
    if base is not None:
        parent = read_yaml(REPOSITORY / "configs" / "localization" / base)["MODEL"]
        parent.update(node["MODEL"])
        node["MODEL"] = parent
    model = MODELS.build(node["MODEL"], classes=[str(number) for number in range(num_classes)])
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def official(name: str) -> Shapes:
    content = json.loads(golden_path(f"yowo/{name}.json").read_text())
    return {**content["parameters"], **content["buffers"]}


def test_official_yowo() -> None:
    title, ours = renamed(official("official_param_shapes"))
    assert title == "official YOWO (PyTorch)"
    assert ours == shapes_of("yowo", 24)


def test_upstream_yowo() -> None:
    theirs = official("upstream_param_shapes")
    title, ours = renamed(theirs)
    assert title == "YOWO of PaddleVideo"
    assert ours == shapes_of("yowo", 24)
    pairs = json.loads(golden_path("yowo/official_to_upstream_names.json").read_text())
    by_official, by_upstream = (
        next(source for source in SOURCES if source.knows(names)) for names in (pairs.keys(), pairs.values())
    )
    compared = {a: b for a, b in pairs.items() if b is not None}
    assert len(compared) > 400
    assert [by_official.our_name(a) for a in compared] == [by_upstream.our_name(b) for b in compared.values()]


@pytest.mark.parametrize(
    ("names", "config", "classes"),
    [
        ("yowo_24", "yowo_plus", 24),
        ("yowo_80", "yowo_plus", 80),
        ("yowo_nano_24", "yowo_nano", 24),
        ("yowo_nano_80", "yowo_nano", 80),
    ],
)
def test_yowo_plus_and_nano(names: str, config: str, classes: int) -> None:
    entries = json.loads(golden_path(f"yowo_plus/names_{names}.json").read_text())
    title, ours = renamed({entry["name"]: entry["shape"] for entry in entries})
    assert title == "YOWO-Plus or YOWO-Nano (PyTorch)"
    assert ours == shapes_of(config, classes)


def test_yolov2_of_yowo_plus() -> None:
    entries = json.loads(golden_path("yowo_plus/names_yowo_24.json").read_text())
    branch = {
        entry["name"].removeprefix("backbone_2d."): entry["shape"]
        for entry in entries
        if entry["name"].startswith("backbone_2d.")
    }
    title, ours = renamed(branch)
    assert title == "YOLOv2 of YOWO-Plus (PyTorch)"
    expected = {name: shape for name, shape in shapes_of("yowo_plus", 24).items() if name.startswith("backbone_2d.")}
    assert ours == expected


@pytest.mark.parametrize("name", NODES)
def test_branches_on_kinetics(name: str) -> None:
    content = json.loads(golden_path("yowo/official_backbone3d_param_shapes.json").read_text())[name]
    theirs = {key.removeprefix("backbone_3d."): shape for part in content.values() for key, shape in part.items()}
    _, ours = renamed(theirs)
    branch = BACKBONES.build(NODES[name])
    assert ours == {f"backbone_3d.{key}": list(value.shape) for key, value in branch.state_dict().items()}


def test_resnext_on_kinetics() -> None:
    theirs = official("official_param_shapes")
    branch = {
        name.removeprefix("backbone_3d."): shape for name, shape in theirs.items() if name.startswith("backbone_3d.")
    }
    classifier = {"fc.weight": [400, 2048], "fc.bias": [400]}
    source = next(source for source in SOURCES if source.knows({**branch, **classifier}))
    assert [source.our_name(name) for name in classifier] == [None, None]
    expected = {name: shape for name, shape in shapes_of("yowo", 24).items() if name.startswith("backbone_3d.")}
    assert renamed(branch)[1] == expected


def test_darknet() -> None:
    title, ours = renamed(LAYOUTS[0])
    assert title == "YOLOv2 or Darknet-19 (Darknet)"
    expected = {name: shape for name, shape in shapes_of("yowo", 24).items() if name.startswith("backbone_2d.")}
    assert ours == expected
    shared = LAYOUTS[2]
    assert all(np.prod(shape) == np.prod(expected[f"backbone_2d.{name}"]) for name, shape in shared.items())
