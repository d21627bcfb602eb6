"""What is fuzzed: for every kind of file a good example, how to damage it, and what of the product reads it."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal

import cv2
import numpy as np
import yaml
from imageio_ffmpeg import get_ffmpeg_exe
from safetensors.numpy import save

from paddlevideo import registry
from paddlevideo.config import Config, load_config
from paddlevideo.loader.datasets import ActionDataset
from paddlevideo.loader.datasets.labelled_videos import read_list
from paddlevideo.loader.feature_bank import read_bank, write_bank
from paddlevideo.loader.features import read_duration, read_features
from paddlevideo.loader.index import read_index, scan_index
from paddlevideo.loader.media.live import StoredStream
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.segments import read_segments
from paddlevideo.registry import INPUTS, METRICS, POSTPROCESS
from paddlevideo.solver import build_optimizer
from paddlevideo.tasks.answers import SegmentAnswers
from paddlevideo.tasks.detection_file import read_detections
from paddlevideo.tasks.exporter import export
from paddlevideo.tasks.manifest import Manifest
from paddlevideo.tasks.parts import build_model, build_pipeline
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.score_file import read_scores
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights import read_weights
from paddlevideo.weights.darknet_file import LAYOUTS, numbers_of
from tests.conftest import REPOSITORY, TINY
from tests.data.test_build_split import NAMES, build, make_annotation, write_labels, write_media
from tests.formats.files import convert, write_frames, write_text
from tests.formats.test_ava import ITEMS, LABELS, ROWS
from tests.formats.test_coco import CONTENT
from tests.formats.test_cvat import EXPORT
from tests.formats.test_pictures import labelme, voc
from tests.formats.test_tubes import GTTUBES, PYANNOT, as_mat
from tests.fuzz.mutations import (
    ARRAYS,
    BOMB,
    SMALL,
    VALUES,
    Rng,
    from_bytes,
    from_schema,
    from_text,
    from_tree,
    mixed,
    mutate_bytes,
    one_change,
    pick,
)
from tests.fuzz.names import hostile_name, prepare_names, use_name
from tests.fuzz.races import race_plan, run_race
from tests.fuzz.servers import ask_server, server_plan
from tests.loader.media.test_video_file import picture, write_video
from tests.loader.test_index import HEADER, VIDEO
from tests.tasks.test_detection_file import HEADER as DETECTIONS
from tests.tasks.test_detection_file import SAMPLE
from tests.tasks.test_score_file import HEADER as SCORE_HEADER
from tests.tasks.test_score_file import SAMPLE as SCORE
from tests.weights.test_files import SHUFFLENET
from tests.weights.torch_writer import write_torch_file

CONFIGS = REPOSITORY / "configs" / "localization"
PARTS = ("MODEL", "DATASET", "PIPELINE", "OPTIMIZER", "METRIC", "INFERENCE")
REGISTRIES = [value for value in vars(registry).values() if isinstance(value, registry.Registry)]
PARTS_OF_ERRORS = (*PARTS, *(part for one in REGISTRIES for part in (one.kind, *one)))
PLACES_OF_NAMES = ("/out", "/etc/passwd", "train.jsonl", "config.yaml")
SIZE = (300, 400)


@dataclass(frozen=True)
class Target:
    """A kind of file.

    `make` makes the content of the `file` from a generator, `read` is the product's use of it, whose errors name the
    file or one of `places`, and `prepare` puts what else is needed into its folder.
    """

    name: str
    file: str
    make: Callable[[Rng], bytes]
    read: Callable[[Path], object]
    places: tuple[str, ...] = ()
    prepare: Callable[[Path], object] = lambda folder: None
    share: float = 1.0  # of the inputs that other kinds get


def tiny_config() -> Config:
    return load_config(CONFIGS / "yowo_sample.yaml", [*TINY, "classes=[Run, Sit]"])


def as_yaml(tree: Any) -> bytes:
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def as_json(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def as_lines(trees: Any) -> bytes:
    return "".join(json.dumps(tree) + "\n" for tree in trees).encode()


def as_mat_file(content: Any) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, as_mat(content))
    return file.getvalue()


def as_pickle(tree: Any) -> bytes:
    return pickle.dumps(tree, protocol=4)


def as_npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def as_npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def written(write: Callable[[Path], object], name: str) -> bytes:
    """What a function writes into a file of this name."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def torch_file(legacy: bool) -> bytes:
    return written(lambda path: write_torch_file(path, {"state_dict": SHUFFLENET}, legacy), "w.pth")


def video(ending: str, codec: str) -> bytes:
    return written(lambda path: write_video(path, 12, codec), f"a{ending}")


def recoded(ending: str, codec: str) -> bytes:
    """A video in a container that OpenCV does not write."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "a.avi", Path(folder) / f"b{ending}"
        write_video(source, 12, "MJPG")
        command = [
            get_ffmpeg_exe(),
            "-v",
            "error",
            "-i",
            source,
            "-r",
            "25",
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            codec,
            made,
        ]
        subprocess.run(command, check=True, capture_output=True)
        return made.read_bytes()


def with_tail(rng: Rng) -> bytes:
    """A picture with bytes behind its end."""
    return pick((PNG, JPEG), rng) + pick((b"\0" * 9, b"\xff\xd9", PNG, JPEG, rng.bytes(5000), PNG[:40]), rng)


def other_encoding(rng: Rng) -> bytes:
    """A list in an encoding that editors and shells choose."""
    codec = pick(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"), rng)
    return pick((b"", b"\xef\xbb\xbf", b"\xff\xfe"), rng) + "a/b.mp4 0\r\nc d.mp4 2\n".encode(codec)


def read_config(path: Path) -> None:
    """As in a run, without building networks, which may be as large as a config says."""
    config = load_config(path)
    model_input = INPUTS.build(config.MODEL.get("input", {}))
    POSTPROCESS.build(config.MODEL.get("postprocess", {}))
    for phase in ("train", "test"):
        build_pipeline(config.PIPELINE.get(phase, {}), model_input)
    for node in config.METRIC:
        METRICS.build(node, classes=config.classes)
    config.to_dict()


def build_network(path: Path) -> None:
    """Networks of the usual width; wider ones are as large as a config says."""
    config = load_config(path)
    widths = [part.get("width") for part in config.MODEL.values() if isinstance(part, dict)]
    if any(isinstance(width, (int, float)) and width > 1 for width in widths):
        return
    build_optimizer(config.OPTIMIZER, build_model(config))


def override(path: Path) -> None:
    words = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    load_config(CONFIGS / "yowo_sample.yaml", words)


def prepare_export(folder: Path) -> None:
    config = tiny_config()
    export(build_model(config), config, folder)
    write_video(folder / "clip.avi", 5, "MJPG")


def predict(path: Path) -> None:
    predictor = Predictor.from_export(path.parent)
    stream = StoredStream(path.parent / "clip.avi")
    predict_streams(predictor, [stream], output_folder(path.parent / "out"), StreamOptions(), Event())


def read_boxes(path: Path) -> None:
    """The index, and which samples datasets make of it."""
    scan_index(path)
    index = read_index(path)
    for choices in ({"every_frame": True}, {"background": 0.5}):
        nothing: Any = None
        dataset = ActionDataset(str(path), index.classes, nothing, (), nothing, **choices)
        dataset.annotation(len(dataset) - 1)


def converter(name: str, *arguments: str) -> Callable[[Path], object]:
    """Converts the file; in the arguments `{}` is its folder."""

    def read(path: Path) -> None:
        options = [argument.format(path.parent) for argument in arguments]
        convert("--from", name, path, "-o", path.parent / "out", *options)
        for made in (path.parent / "out").glob("*.jsonl"):
            read_index(made)

    return read


def picture_folder(name: str) -> Callable[[Path], object]:
    """Converts a folder with a video of which the file is a frame."""

    def read(path: Path) -> None:
        folder = path.parents[1]
        convert("--from", name, folder, "-o", folder.parent / "out")

    return read


def media(*names: str) -> Callable[[Path], object]:
    """Folders of eight frames."""

    def prepare(folder: Path) -> None:
        for name in names:
            write_frames(folder / "media" / name, 8, SIZE)

    return prepare


def ava_media(folder: Path) -> None:
    media("-5KQ66BBWC4", "1j20qq1JyX4")(folder)
    write_text(folder / "rows.csv", ROWS)
    write_text(folder / "good.pbtxt", LABELS)


AVA = ("--media", "{}/media", "--from-option", "rate=1")


def read_labels(path: Path) -> None:
    options = ("--from-option", f"label_map={path}", *AVA)
    converter("ava", *options)(path.parent / "rows.csv")


def prepare_archive(folder: Path) -> None:
    for position, (name, node) in enumerate(make_annotation().items()):
        write_media(folder / "data", position)
        write_labels(folder / "data", str(name), node["annotations"])
    write_text(folder / "data" / "splitfiles" / "trainlist01.txt", f"{NAMES[1]}\n{NAMES[3]}\n")


def split(path: Path) -> None:
    build(path.parent / "data", "--test-list", path, out="out")


def split_videos(path: Path) -> None:
    lists = path.parent / "data" / "splitfiles" / "trainlist01.txt"
    build(
        path.parent / "data", "--videos", path.parent / "data" / "videos", "--annotation", path,
        "--train-list", lists, "--test-list", lists, out="out",
    )  # fmt: skip


def label_rows(path: Path) -> None:
    root = path.parents[3]
    lists = root / "splitfiles" / "trainlist01.txt"
    build(root, "--test-list", lists, "--train-list", lists, out="out")


def frames(path: Path) -> None:
    """As a test, a training and a prediction read."""
    source = open_source(path)
    source.read(np.array([len(source) // 2, len(source) - 1]))
    for _ in source.frames():
        pass
    list(source.damages())


def prepare_pictures(folder: Path) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "00001.png").write_bytes(PNG)


def bomb(rng: Rng) -> bytes:
    """A small picture that claims to be of up to a billion pixels, and is."""
    width, height = (int(2 ** rng.uniform(8, 12)) * 8 for _ in range(2))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0),
        b"IDAT": zlib.compress(bytes((width // 8 + 1) * height)),
        b"IEND": b"",
    }
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks.items())
    return PNG[:8] + b"".join(packed)


def bank(path: Path) -> None:
    read_bank(path.parent, path.stem, 5)


def segments(path: Path) -> None:
    for strict in (True, False):
        read_segments(path, "training", ("Run", "Sit"), strict=strict)


def list_of_videos(kind: Literal["videos", "frames"]) -> Callable[[Path], object]:
    """Reads a list whose labels are of three classes."""
    return lambda path: list(read_list(path, path.parent, kind, 3))


def index_to_bank(path: Path) -> None:
    """Write a file for every video, as the extraction of features does."""
    for video in read_index(path).videos:
        write_bank(path.parent / "out", video.id, np.arange(1, 3), np.zeros((2, 4), np.float32))


def darknet(rng: Rng) -> bytes:
    """Rarely one of the right length, which is 80 MB."""
    if rng.random() < 0.02:
        return bytes(16 + 4 * numbers_of(LAYOUTS[2]))
    return mutate_bytes(np.array([0, 1, 0, 32013312, *range(500)], np.int32).tobytes(), rng)


PNG, JPEG = (cv2.imencode(end, picture(1))[1].tobytes() for end in (".png", ".jpg"))
RECODED = {".ts": "mpeg2video", ".mpg": "mpeg1video", ".flv": "flv", ".asf": "wmv2", ".ogv": "libtheora"}
CODECS = {".avi": "MJPG", ".mp4": "mp4v", ".mkv": "XVID", ".webm": "VP90"}
INDEX = [HEADER, VIDEO, {**VIDEO, "id": "Sit/b", "boxes": [[1, 1, 1, 2, 3, 4], [2, 0, 5, 6, 7, 8]]}]
SAMPLES = [DETECTIONS, SAMPLE, {**SAMPLE, "id": "b/00002"}]
ACTIONS = {"annotations": [{"segment": [1.5, 9], "label": "Run"}, {"segment": [10, 12.5], "label": "Sit"}]}
SEGMENTS = {"v_a": {"duration_second": 12.5, "subset": "training", **ACTIONS}}
RESULTS = {"version": "1", "results": {"a": [{"segment": [1.5, 9], "score": 0.5, "label": "Run"}]}, "external_data": {}}
SCORES = [SCORE_HEADER, SCORE, {**SCORE, "id": "b.mp4"}]
CONFIG = tiny_config().to_dict()
FACTS = {
    "graphs": {"paddle": {"files": {"model": "model.json", "weights": "model.pdiparams"}, "settings": {}}},
    "outputs": ["boxes", "objectness", "probabilities"],
    "reuse": None,
    "causal": True,
    "inputs": {"clip": [3, 4, 64, 64]},
    "num_classes": 2,
    "input": CONFIG["MODEL"]["input"],
    "postprocess": CONFIG["MODEL"]["postprocess"],
    "pipeline": CONFIG["PIPELINE"]["test"],
    "source": CONFIG["INFERENCE"],
    "classes": ["Run", "Sit"],
    "plugins": [],
}
REUSE = {"graphs": FACTS["graphs"], "outputs": [*FACTS["outputs"][:1], "maps"], "maps": [8, 3, 2, 2]}
STATE = {"conv.weight": np.ones((2, 3), np.float32), "conv.bias": np.zeros(2), "more": {"a": [1, ("x", None)]}}
OVERRIDES = "MODEL.input.size=64\nMETRIC.0.iou_thresholds=[0.5]\nepochs=3\nMODEL.head.anchors.0=[1, 2]\n"

TARGETS = {
    target.name: target
    for target in (
        Target(
            "config",
            "a.yaml",
            mixed(
                from_tree(CONFIG, as_yaml),
                from_text((CONFIGS / "yowo.yaml").read_text(), (CONFIGS / "yowo_sample.yaml").read_text(), BOMB),
            ),
            read_config,
            PARTS_OF_ERRORS,
            lambda folder: shutil.copy(CONFIGS / "yowo.yaml", folder),
        ),
        Target("network", "a.yaml", from_tree(CONFIG, as_yaml, SMALL), build_network, PARTS_OF_ERRORS),
        Target("overrides", "a.txt", from_text(OVERRIDES), override, ("-o ", "yowo_sample.yaml")),
        Target(
            "inference.yaml",
            "inference.yaml",
            mixed(
                from_tree(FACTS, as_yaml),
                one_change(FACTS, as_yaml),
                from_schema(FACTS, Manifest, as_yaml),
                from_schema({**FACTS, "reuse": REUSE}, Manifest, as_yaml),
            ),
            predict,
            PARTS_OF_ERRORS,
            prepare_export,
        ),
        Target(
            "index", "train.jsonl", mixed(from_tree(INDEX, as_lines), from_text(as_lines(INDEX).decode())), read_boxes
        ),
        Target("index to bank", "train.jsonl", from_tree(INDEX, as_lines), index_to_bank),
        Target("index to coco", "train.jsonl", from_tree(INDEX, as_lines), converter("neutral", "--to", "coco")),
        Target(
            "index to ava",
            "train.jsonl",
            from_tree(INDEX, as_lines),
            converter("neutral", "--to", "ava", "--to-option", "rate=1"),
        ),
        Target("feature bank", "a.npz", from_bytes(as_npz(frames=np.arange(9), features=np.ones((9, 4)))), bank),
        Target("features", "a.npy", from_bytes(as_npy(np.ones((9, 4), np.float32))), read_features),
        Target("facts", "a.json", from_tree({"duration": 12.5, "fps": 25}, as_json), read_duration),
        Target("segments", "a.json", mixed(from_tree(SEGMENTS, as_json), from_text(json.dumps(SEGMENTS))), segments),
        Target(
            "segment results",
            "a.json",
            mixed(from_tree(RESULTS, as_json), from_text(json.dumps(RESULTS))),
            SegmentAnswers(["Run", "Sit"]).read,
        ),
        Target(
            "detections",
            "d.jsonl",
            mixed(from_tree(SAMPLES, as_lines), from_text(as_lines(SAMPLES).decode())),
            read_detections,
        ),
        Target(
            "scores",
            "s.jsonl",
            mixed(from_tree(SCORES, as_lines), from_text(as_lines(SCORES).decode())),
            read_scores,
        ),
        Target("list of videos", "a.list", from_text("a/b.mp4 0\nc d.mp4 2\n"), list_of_videos("videos")),
        Target("list of frames", "a.list", from_text("a/b 12 0\nc d 9 2\n"), list_of_videos("frames")),
        Target("cvat", "a.xml", from_text(EXPORT), converter("cvat")),
        Target(
            "voc",
            "pictures/v1/00002.xml",
            from_text(voc(("Run", (1, 2, 30.5, 40), 3), ("Sit", (5, 6, 7, 8), 4))),
            picture_folder("voc"),
            ("split all", "pictures: expected"),
        ),
        Target(
            "labelme",
            "pictures/v1/00002.json",
            from_tree(labelme(("Run", (1, 2, 30, 40), 3), ("Sit", (5, 6, 7, 8), 4)), as_json),
            picture_folder("labelme"),
            ("split all", "pictures: expected"),
        ),
        Target(
            "coco",
            "a.json",
            mixed(from_tree(CONTENT, as_json), from_text(json.dumps(CONTENT, indent=1))),
            converter("coco", "--media", "{}/media"),
            prepare=media("day/v1", "v2"),
        ),
        Target(
            "ava",
            "a.csv",
            from_text(ROWS),
            converter("ava", "--from-option", "label_map={}/good.pbtxt", *AVA),
            prepare=ava_media,
        ),
        Target("ava labels", "a.pbtxt", from_text(LABELS, ITEMS), read_labels, ("rows.csv",), ava_media),
        Target(
            "ucf24 pickle",
            "a.pkl",
            from_tree(PYANNOT, as_pickle, (*VALUES, *ARRAYS)),
            converter("ucf24", "--media", "{}/media"),
            prepare=media(*PYANNOT),
        ),
        Target(
            "ucf24 mat",
            "a.mat",
            from_bytes(as_mat_file(PYANNOT)),
            converter("ucf24", "--media", "{}/media"),
            prepare=media(*PYANNOT),
            share=0.2,
        ),
        Target(
            "gttubes", "a.pkl", from_tree(GTTUBES, as_pickle, (*VALUES, *ARRAYS)), converter("gttubes"), ("split ",)
        ),
        Target("split list", "list.txt", from_text(f"{NAMES[0]}\n{NAMES[2]}\n"), split, prepare=prepare_archive),
        Target(
            "split tubes",
            "a.pkl",
            from_tree(make_annotation(), as_pickle, (*VALUES, *ARRAYS)),
            split_videos,
            NAMES,
            prepare_archive,
        ),
        Target(
            "label rows",
            f"data/labels/{NAMES[1]}/00003.txt",
            from_text("1 5 6 50 30\n1 1 2 9 9\n"),
            label_rows,
            NAMES,
            prepare_archive,
        ),
        Target(
            "pickle",
            "w.pdparams",
            mixed(
                from_tree(STATE, as_pickle, (*VALUES, *ARRAYS)), from_bytes(as_pickle(STATE), pickle.dumps(STATE, 2))
            ),
            load_pickle,
        ),
        Target("pytorch", "w.pth", from_bytes(*map(torch_file, (True, False))), read_weights),
        Target("safetensors", "w.safetensors", from_bytes(save(SHUFFLENET)), read_weights),
        Target("darknet", "w.weights", darknet, read_weights),
        Target(
            "picture",
            "pictures/00002.png",
            mixed(*[from_bytes(PNG, JPEG)] * 9, bomb),
            lambda path: frames(path.parent),
            prepare=prepare_pictures,
        ),
        *(Target(f"video {end}", f"a{end}", from_bytes(video(end, codec)), frames) for end, codec in CODECS.items()),
        *(
            Target(f"video {end}", f"a{end}", from_bytes(recoded(end, codec)), frames, share=0.3)
            for end, codec in RECODED.items()
        ),
        Target(
            "picture tail",
            "pictures/00002.png",
            with_tail,
            lambda path: frames(path.parent),
            prepare=prepare_pictures,
            share=0.2,
        ),
        Target("encodings", "a.list", other_encoding, list_of_videos("videos"), share=0.2),
        Target("names", "a.json", hostile_name, use_name, PLACES_OF_NAMES, prepare_names),
        Target("races", "a.json", race_plan, run_race, share=0.05),
        Target("servers", "a.json", server_plan, ask_server, ("127.0.0.1",), share=0.2),
    )
}
