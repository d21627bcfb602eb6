from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config
from paddlevideo.engines import Graph, Settings
from paddlevideo.modeling.layers import LeakyReLU
from paddlevideo.tasks import graphs
from paddlevideo.tasks.exporter import export
from paddlevideo.tasks.graphs import FAULTY_PASSES, SETTINGS, check, differences, runnable, to_onnx
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import read_facts
from paddlevideo.types import Arrays

PICTURE = np.random.default_rng(0).random((1, 3, 16, 16), np.float32) - 0.5


def traced(folder: Path, activation: nn.Layer) -> tuple[Graph, Arrays]:
    """A convolution with an activation, and its output."""
    paddle.seed(0)
    network = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), activation)
    network.eval()
    with paddle.no_grad():
        expected = network(paddle.to_tensor(PICTURE)).numpy()
    spec = [paddle.static.InputSpec([None, *PICTURE.shape[1:]], "float32", "picture")]
    paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), str(folder / "model"))
    files = {"model": folder / "model.json", "weights": folder / "model.pdiparams"}
    return Graph(files, ["y"]), {"y": expected}


def test_a_graph_that_crashes_with_onednn_is_run_without_the_faulty_passes(tmp_path: Path) -> None:
    graph, eager = traced(tmp_path, nn.LeakyReLU(0.1))
    assert runnable(graph, {"picture": PICTURE}, eager).settings == {"without_passes": FAULTY_PASSES}


def test_our_leaky_relu_needs_no_settings(tmp_path: Path) -> None:
    graph, eager = traced(tmp_path, LeakyReLU())
    assert runnable(graph, {"picture": PICTURE}, eager).settings == {}


@pytest.mark.parametrize("plain", [False, True])
def test_an_exported_model_keeps_onednn_with_our_leaky_relu_alone(
    tiny_config: Config, tmp_path: Path, plain: bool
) -> None:
    model = build_model(tiny_config)
    if plain:
        for layer in model.sublayers():
            for name, child in layer.named_children():
                if isinstance(child, LeakyReLU):
                    setattr(layer, name, nn.LeakyReLU(child.slope))
    export(model, tiny_config, tmp_path)  # it runs the network in Paddle Inference, and compares
    found = read_facts(tmp_path).graphs["paddle"].settings
    assert found == (Settings(without_passes=FAULTY_PASSES) if plain else Settings())


def test_wrong_answers_with_every_setting_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def answer(_: object, __: str, attempt: Graph, *___: object) -> Arrays:
        tried.append(attempt.settings)
        return {"y": np.full(2, 1.01)}

    monkeypatch.setattr(graphs, "in_own_process", answer)
    with pytest.raises(RuntimeError, match=r"does not run this network; .* differs from eager by 1\.0e-02 relative"):
        runnable(Graph({}, ["y"]), {}, {"y": np.ones(2)})
    assert tried == list(SETTINGS)


def test_a_slope_arrives_in_onnx(tmp_path: Path) -> None:
    graph, _ = traced(tmp_path, LeakyReLU(0.3))
    model = onnx.load(str(to_onnx(graph, tmp_path).files["model"]))
    (slope,) = [a.f for node in model.graph.node if node.op_type == "LeakyRelu" for a in node.attribute]
    assert slope == pytest.approx(0.3)
    assert [item.version for item in model.opset_import] == [graphs.OPSET]


def test_what_the_converter_cannot_do_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"program": {"regions": []}}')
    files = {"model": tmp_path / "model.json", "weights": tmp_path / "gone.pdiparams"}
    with pytest.raises(RuntimeError, match="paddle2onnx cannot convert this network: "):
        to_onnx(Graph(files, ["y"]), tmp_path)


def test_differences_by_hand() -> None:
    found = differences({"a": np.array([1.0, -4.5]), "b": np.zeros(3)}, {"a": np.array([1.0, -5.0]), "b": np.zeros(2)})
    assert [(one.output, one.absolute, one.relative) for one in found[:1]] == [("a", 0.5, 0.1)]
    assert found[1].absolute == float("inf")


@pytest.mark.parametrize("value", [1.01, float("nan")])
def test_a_difference_is_an_error(value: float) -> None:
    found = differences({"y": np.array([value, 1.0])}, {"y": np.ones(2)})
    with pytest.raises(RuntimeError, match=r"exported y differs from eager by (1\.0e-02|nan) relative \(setting\)"):
        check(found, "setting")
