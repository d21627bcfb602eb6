"""Shared fixtures: the folders of reference arrays, a small dataset, a small trained network."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.config import Config, load_config
from paddlevideo.engines import ENGINES
from paddlevideo.tasks.exporter import FORMATS, export_weights
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils import device
from paddlevideo.utils.names import printable

paddle.disable_signal_handler()  # pytest's own one tells in which test, and at which line, a process has crashed
REPOSITORY = Path(__file__).resolve().parents[1]
EVERY = [  # engines and the precisions that this machine has
    (name, precision)
    for name, engine in ENGINES.items()
    for precision in engine.formats
    if engine.lacks(precision) is None
]
SHIPPED = REPOSITORY / "tests" / "golden"
TINY = (  # what makes `yowo_sample.yaml` a network of a few thousand weights
    "MODEL.backbone_2d.width=0.125",
    "MODEL.backbone_2d.out_channels=8",
    "MODEL.backbone_3d.width=0.0625",
    "MODEL.backbone_3d.cardinality=2",
    "MODEL.neck.channels=16",
    "MODEL.neck.out_channels=16",
    "MODEL.input.num_frames=4",
    "MODEL.input.size=64",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what a report quotes of odd file names: pytest-xdist ends the run if a text is not UTF-8."""
    report = yield
    report.sections = [(title, printable(text)) for title, text in report.sections]
    return report


def golden_roots() -> list[Path]:
    """Folders searched for reference arrays, first match wins: `GOLDEN_DIR`, else the neighbour folder, then ours."""
    chosen = os.environ.get("GOLDEN_DIR")
    if chosen:
        return [Path(chosen)]
    return [REPOSITORY.parent / "shared" / "golden", SHIPPED]


def golden_path(name: str) -> Path:
    """Path of the reference file `name`, such as `yowo/cfam.npz`; skips the test where it is not shipped."""
    for root in golden_roots():
        if (root / name).exists():
            return root / name
    if os.environ.get("GOLDEN_DIR"):
        pytest.fail(f"reference file {name} is not in {os.environ['GOLDEN_DIR']}, which GOLDEN_DIR names")
    pytest.skip(f"reference file {name} is not in {' or '.join(map(str, golden_roots()))}")


def golden_arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the reference file `name`, such as `yowo/cfam.npz`."""
    return read_npz(golden_path(name))


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a file, which is closed again."""
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def golden_names(name: str, read: Callable[[Path], Iterable[str]]) -> list[str]:
    """What `read` finds in the reference file `name`, to parametrise tests; one name without meaning if it is missing.

    The test of that name then skips or fails when it asks for the file.
    """
    path = next((root / name for root in golden_roots() if (root / name).exists()), None)
    return ["missing"] if path is None else sorted(set(read(path)))


def children() -> set[int]:
    """Processes that this one has started and that have not ended."""
    started = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return {int(pid) for pid in started if "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()}


def load_script(path: str) -> ModuleType:
    """A script of the repository that is not part of the package, as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, REPOSITORY / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def memory_goes_back() -> Iterator[None]:
    """The suite builds many large networks in one process, which must not stay as large as all of them were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "keep_freed_memory", lambda: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """After the tests of a file the memory of their networks goes back to the system, where glibc can do that.

    Paddle keeps programs that have run, with some threads each: hundreds for a network with oneDNN convolutions.
    """
    yield
    gc.collect()
    from paddle.base import (
        core,
    )  # not before paddlevideo, which says what Paddle and OpenCV read when they are imported

    core.clear_executor_cache()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few sample videos with their index."""
    folder = tmp_path_factory.mktemp("sample")
    assert load_script("data/sample/make_videos.py").main(["-o", str(folder), "--train", "8", "--test", "4"]) == 0
    assert load_script("data/ucf24/build_split.py").main([str(folder), "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def tiny_overrides(sample_data: Path) -> list[str]:
    """What makes `yowo_sample.yaml` tiny, on `sample_data`."""
    return [
        *TINY,
        f"classes={sample_data / 'classes.txt'}",
        f"DATASET.train.index={sample_data / 'train.jsonl'}",
        "DATASET.train.step=20",
        f"DATASET.test.index={sample_data / 'test.jsonl'}",
        "DATASET.test.step=10",
        "batch_size=4",
        "num_workers=0",
        "epochs=2",
        "val_interval=1",
    ]


@pytest.fixture(scope="session")
def tiny_config(tiny_overrides: list[str]) -> Config:
    """`yowo_sample.yaml` made tiny."""
    return load_config(REPOSITORY / "configs" / "localization" / "yowo_sample.yaml", tiny_overrides)


@pytest.fixture(scope="session")
def trained(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a short training run."""
    folder = tmp_path_factory.mktemp("trained")
    Trainer(dataclasses.replace(tiny_config, output_dir=str(folder))).fit()
    return folder


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export folder of `trained` with every format, the quantised one among them."""
    folder = tmp_path_factory.mktemp("exported")
    return export_weights(load_config(trained / "config.yaml"), trained / "best.pdparams", folder, FORMATS, 8)


@pytest.fixture
def own_signals() -> Iterator[None]:
    """For tests that send this process a signal, after which it would no longer end as pytest wants it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def motion_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips with one class each, and their lists."""
    folder = tmp_path_factory.mktemp("motion")
    assert load_script("data/motion/make_clips.py").main(["-o", str(folder), "--train", "8", "--test", "8"]) == 0
    return folder


@pytest.fixture(scope="session")
def motion_overrides(motion_data: Path) -> list[str]:
    """What makes `tsm_sample.yaml` tiny, on `motion_data`."""
    small = [
        f"PIPELINE.{phase}.transform.{place}.size={size}"
        for phase in ("train", "test")
        for place, size in ((0, 36), (1, 32))
    ]
    return [
        *small,
        "MODEL.backbone.width=0.125",
        "MODEL.input.size=32",
        "MODEL.input.num_frames=4",
        f"classes={motion_data / 'classes.txt'}",
        f"DATASET.train.list_path={motion_data / 'train.list'}",
        f"DATASET.test.list_path={motion_data / 'test.list'}",
        "batch_size=4",
        "num_workers=0",
        "epochs=2",
        "val_interval=1",
    ]


@pytest.fixture(scope="session")
def motion_config(motion_overrides: list[str]) -> Config:
    """`tsm_sample.yaml` made tiny."""
    return load_config(REPOSITORY / "configs" / "recognition" / "tsm_sample.yaml", motion_overrides)


@pytest.fixture(scope="session")
def recogniser(motion_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a short training run of a clip classifier."""
    folder = tmp_path_factory.mktemp("recogniser")
    Trainer(dataclasses.replace(motion_config, output_dir=str(folder))).fit()
    return folder
