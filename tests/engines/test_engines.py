from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from paddlevideo import engines
from paddlevideo.config import load_config
from paddlevideo.engines import Graph, choose
from paddlevideo.engines.openvino_runtime import import_quietly
from paddlevideo.tasks.graphs import TOLERANCE, differences
from paddlevideo.tasks.predictor import Predictor, read_facts, read_graphs
from paddlevideo.types import Arrays
from tests.conftest import EVERY

FAR = {"float32": TOLERANCE, "bf16": 0.02, "int8": 0.2}  # of the largest output; bfloat16 has 8 bits
WHERE = Path("folder")


@pytest.fixture(scope="module")
def clips() -> Arrays:
    return {"clip": np.random.default_rng(0).random((3, 3, 4, 64, 64), np.float32)}


@pytest.fixture(scope="module")
def eager(trained: Path, clips: Arrays) -> Arrays:
    predictor = Predictor.from_checkpoint(load_config(trained / "config.yaml"), trained / "best.pdparams")
    return predictor.network(clips)


@pytest.fixture(scope="module")
def graphs(exported: Path) -> dict[str, Graph]:
    return read_graphs(exported, read_facts(exported))


@pytest.mark.parametrize(("engine", "precision"), EVERY)
def test_answers_are_the_eager_ones_at_any_batch_size(
    exported: Path, clips: Arrays, eager: Arrays, engine: str, precision: str
) -> None:
    network = Predictor.from_export(exported, engine, precision, threads=1).network
    for size in (3, 1):
        answer = network({"clip": clips["clip"][:size]})
        found = differences(answer, {name: value[:size] for name, value in eager.items()})
        assert {one.output for one in found} == {"boxes", "objectness", "probabilities"}
        assert max(one.relative for one in found) <= FAR[precision]


def test_a_precision_changes_the_arithmetic(exported: Path, clips: Arrays, eager: Arrays) -> None:
    off = [
        max(one.relative for one in differences(Predictor.from_export(exported, engine, p).network(clips), eager))
        for engine, p in EVERY
        if engine == "openvino"  # in the order of growing differences
    ]
    assert off[0] < 1e-5
    assert off == sorted(set(off))
    assert len(off) > 1


def test_the_int8_graph_has_int8_weights(graphs: dict[str, Graph]) -> None:
    assert 'element_type="i8"' in graphs["openvino_int8"].files["model"].read_text()
    assert 'element_type="i8"' not in graphs["openvino"].files["model"].read_text()


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in packages else object())


def test_auto_is_the_fastest_that_is_installed(graphs: dict[str, Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", "float32", graphs, WHERE)[0].name == "openvino"
    hide(monkeypatch, "openvino")
    assert choose("auto", "float32", graphs, WHERE)[0].name == "onnxruntime"
    hide(monkeypatch, "openvino", "onnxruntime")
    assert choose("auto", "float32", graphs, WHERE)[0].name == "paddle"


def test_auto_is_one_whose_graph_is_there(graphs: dict[str, Graph]) -> None:
    for present, name in (("paddle", "paddle"), ("onnx", "onnxruntime"), ("openvino", "openvino")):
        engine, graph = choose("auto", "float32", {present: graphs[present]}, WHERE)
        assert (engine.name, graph) == (name, graphs[present])


@pytest.mark.parametrize(
    ("name", "precision", "present", "said"),
    [
        ("paddle", "bf16", ("paddle",), "folder: engine paddle cannot run it in bf16; paddle: it has no bf16"),
        ("openvino", "float32", ("paddle",), "export the model again with tools/export_model.py --format openvino"),
        ("openvino", "int8", ("openvino",), "export the model again with tools/export_model.py --precision int8"),
        ("auto", "int8", ("paddle",), "onnxruntime: it has no int8, but float32; paddle: it has no int8"),
        ("openvin", "float32", ("paddle",), "no engine called 'openvin'; there are auto, openvino, onnxruntime, pad"),
    ],
)
def test_what_cannot_run_says_why(
    graphs: dict[str, Graph], name: str, precision: str, present: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        choose(name, precision, {one: graphs[one] for one in present}, WHERE)


def test_a_missing_package_is_named(graphs: dict[str, Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "onnxruntime")
    with pytest.raises(ValueError, match=r"onnxruntime is not installed; .* pip install -e '\.\[onnx\]'"):
        choose("onnxruntime", "float32", graphs, WHERE)


def test_a_cpu_without_bfloat16(graphs: dict[str, Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"])
    monkeypatch.setattr("paddlevideo.engines.openvino_runtime.core", lambda: old)
    with pytest.raises(ValueError, match="this CPU has no bfloat16 arithmetic"):
        choose("openvino", "bf16", graphs, WHERE)
    assert choose("openvino", "float32", graphs, WHERE)


def test_engines_do_not_report_their_use() -> None:
    import_quietly("openvino")
    assert sys.modules["openvino_telemetry"] is None


TWO_NETWORKS = """
import gc, os, signal, sys
from paddlevideo.tasks.predictor import Predictor
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
networks = [Predictor.from_export(sys.argv[1], "openvino") for _ in range(2)]
while networks:
    del networks[0]
    gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_a_signal_is_handled_when_networks_have_come_and_gone(exported: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", TWO_NETWORKS, str(exported)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
