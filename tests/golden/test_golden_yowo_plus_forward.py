"""YOWO-Plus and YOWO-Nano from clip to detections, against the published implementation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.config import load_config
from paddlevideo.modeling.heads import YOWOPlusHead
from paddlevideo.modeling.models import YOWOPlus
from paddlevideo.modeling.postprocess import DetectionNMS, TopKNMS
from paddlevideo.registry import MODELS
from paddlevideo.types import Arrays, Prediction
from tests.conftest import REPOSITORY, golden_arrays, golden_names, golden_path
from tests.golden import plus_weights
from tests.golden.weights import assert_close_to_max, assert_same_rows

TOLERANCE = 1e-4  # of the maximum of a map
CONFIGS = {
    ("yowo", "ucf24"): "yowo_plus",
    ("yowo_nano", "ucf24"): "yowo_nano",
    ("yowo", "ava_v2.2"): "yowo_plus_ava",
    ("yowo_nano", "ava_v2.2"): "yowo_nano_ava",
}
ROW_TOLERANCE = 1e-5  # of scores and of boxes as fractions
INDEX = "yowo_plus/index.json"
NAMES = (
    ("yowo_plus", "names_yowo_24"),
    ("yowo_plus_ava", "names_yowo_80"),
    ("yowo_nano", "names_yowo_nano_24"),
    ("yowo_nano_ava", "names_yowo_nano_80"),
)


def load_node(config: str) -> dict[str, Any]:
    """The MODEL of a config, and its classes."""
    loaded = load_config(REPOSITORY / "configs" / "localization" / f"{config}.yaml")
    return {**loaded.MODEL, "classes": loaded.classes}


def build(case: dict[str, Any]) -> YOWOPlus:
    node = load_node(CONFIGS[case["model"], case["dataset"]])
    classes = node.pop("classes")
    assert len(classes) == case["num_classes"]
    node["input"] = {**node["input"], "num_frames": case["T"], "size": case["img"]}
    model: YOWOPlus = MODELS.build(node, classes=classes)
    plus_weights.load_weights(model)
    model.eval()
    return model


@pytest.mark.parametrize(("config", "file"), NAMES)
def test_names_and_shapes_are_the_published_ones(config: str, file: str) -> None:
    published = json.loads(golden_path(f"yowo_plus/{file}.json").read_text())
    expected = {
        entry["name"]: list(entry["shape"]) for entry in published if not entry["name"].endswith("num_batches_tracked")
    }
    node = load_node(config)
    model = MODELS.build({key: value for key, value in node.items() if key != "classes"}, classes=node["classes"])
    ours = {plus_weights.their_name(name): list(value.shape) for name, value in model.state_dict().items()}
    assert ours == expected


def watch(model: YOWOPlus) -> dict[str, npt.NDArray[np.float32]]:
    """Fills with the outputs of inner layers, by the reference's names, when the model runs."""
    two, three, neck = model.backbone_2d, model.backbone_3d, model.neck
    watched = {
        "c4": two.stage5, "p5": two.stage6, "neck": two.fuse, "feat_2d": two, "feat_3d": three, "c5": two.stage6[4],
        "enc0": neck.reduce, "enc1": neck.mix, "enc2": neck.attention, "enc3": neck.refine, "enc5": neck,
    }  # fmt: skip
    if hasattr(three, "features"):
        watched |= {"c3d_features3": three.features[3], "c3d_features11": three.features[11]}
    seen: dict[str, npt.NDArray[np.float32]] = {}
    for name, layer in watched.items():
        layer.register_forward_post_hook(lambda _, __, out, name=name: seen.update({name: out.numpy()}))
    return seen


def rows(found: dict[str, npt.NDArray[Any]] | Prediction) -> npt.NDArray[np.float64]:
    """Detections: label, score, box."""
    return np.column_stack([found["labels"], found["scores"], found["boxes"]]).astype(np.float64)


def multi_label_rows(dets: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Rows of box, confidence and 80 probabilities as one row for each box and label."""
    count = dets.shape[1] - 5
    labels = np.tile(np.arange(count), len(dets))
    scores = (dets[:, 4:5] * dets[:, 5:]).ravel()
    return rows({"labels": labels, "scores": scores, "boxes": np.repeat(dets[:, :4], count, axis=0)})


def forward_files(index: Path) -> list[str]:
    cases = json.loads(index.read_text())["cases"]
    return [name.removesuffix(".npz") for name in cases if name.startswith("forward_")]


def postprocess_cases(index: Path, dataset: str) -> list[str]:
    cases = json.loads(index.read_text())["cases"]["postproc_cases.npz"]["cases"]
    return [name for name, case in cases.items() if case["dataset"].startswith(dataset)]


@pytest.mark.parametrize("file", golden_names(INDEX, forward_files))
def test_forward_decode_and_detections(file: str) -> None:
    golden = golden_arrays(f"yowo_plus/{file}.npz")
    case = plus_weights.index()["cases"][f"{file}.npz"]
    clip = plus_weights.clip(case["input_rng_name"], tuple(case["input_shape"]), case["input_mean"], case["input_std"])
    assert hashlib.sha256(clip.tobytes()).hexdigest()[:16] == case["input_sha256_16"]
    model = build(case)
    seen = watch(model)
    with paddle.no_grad():
        outputs = model({"clip": paddle.to_tensor(clip)})
        decoded = {name: value.numpy() for name, value in model.decode(outputs).items()}
    seen["feat_3d"] = seen["feat_3d"].mean(2, keepdims=True)  # our model averages the time that is left
    compared = [name for name in seen if name in golden]
    assert {"feat_3d", "enc5"} <= set(compared)
    for name in compared:
        assert_close_to_max(seen[name], golden[name], TOLERANCE, name)
    assert_close_to_max(outputs["raw"].numpy(), golden["pred"], TOLERANCE, "raw")
    assert_close_to_max(decoded["boxes"], (golden["box_pred"] / case["img"]).clip(0, 1), 1e-5, "boxes")
    predictions = model.postprocess(decoded, [{}] * len(clip))
    for number, prediction in enumerate(predictions):
        if f"labels_val_{number}" in golden:
            expected = rows({key: golden[f"{key}_val_{number}"] for key in ("labels", "scores", "boxes")})
        else:
            expected = multi_label_rows(golden[f"dets_val_{number}"])
        assert_same_rows(rows(prediction), expected, ROW_TOLERANCE)


def decoded_case(name: str, exclusive: int | None) -> tuple[Arrays, dict[str, Any], dict[str, npt.NDArray[Any]]]:
    golden = golden_arrays("yowo_plus/postproc_cases.npz")
    case = plus_weights.index()["cases"]["postproc_cases.npz"]["cases"][name]
    arrays = {key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"{name}/")}
    anchors = load_node("yowo_plus" if exclusive is None else "yowo_plus_ava")["head"]["anchors"]
    head = YOWOPlusHead(8, arrays["pred"].shape[1] // 5 - 5, anchors, exclusive)
    decoded = {key: value.numpy() for key, value in head.decode(paddle.to_tensor(arrays["pred"])).items()}
    return decoded, case, arrays


@pytest.mark.parametrize("name", golden_names(INDEX, lambda index: postprocess_cases(index, "ucf24")))
def test_detections_of_one_label(name: str) -> None:
    decoded, case, arrays = decoded_case(name, None)
    nms = TopKNMS(case["conf_thresh"], case["nms_thresh"], case["topk"])
    assert_same_rows(rows(nms(decoded, [{}])[0]), rows(arrays), ROW_TOLERANCE)


@pytest.mark.parametrize("name", golden_names(INDEX, lambda index: postprocess_cases(index, "ava")))
def test_detections_of_several_labels(name: str) -> None:
    decoded, case, arrays = decoded_case(name, 14)
    nms = DetectionNMS(case["conf_thresh"], case["nms_thresh"], score="paddlevideo", rows="every_class")
    dets = arrays.get("dets", np.zeros((0, 85), np.float32))
    assert_same_rows(rows(nms(decoded, [{}])[0]), multi_label_rows(dets.reshape(-1, 85)), ROW_TOLERANCE)
