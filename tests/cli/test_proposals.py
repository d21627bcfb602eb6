"""From videos to proposals by the commands of docs/proposals.md, with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

import main
from paddlevideo.config import load_config, save_config
from paddlevideo.tasks.checkpoint import save_weights
from paddlevideo.tasks.parts import build_model
from tests.conftest import REPOSITORY, load_script

CONFIGS = REPOSITORY / "configs"
EVERY = 8  # frames of a snippet


def untrained(folder: Path) -> tuple[str, int]:
    """Weights of a recognition model with its config beside them, and how wide its features are."""
    small = ["MODEL.backbone.width=0.125", "MODEL.input.num_frames=4", "batch_size=4"]
    config = load_config(CONFIGS / "recognition" / "tsm_sample.yaml", small)
    model = build_model(config)
    save_weights(model, folder / "tsm.pdparams")
    save_config(config, folder / "config.yaml")
    return str(folder / "tsm.pdparams"), model.backbone.out_channels


def test_videos_become_features_and_features_proposals(sample_data: Path, tmp_path: Path) -> None:
    videos = sorted((sample_data / "videos" / "Hop").glob("*.mp4"))[:3]
    weights, width = untrained(tmp_path)
    features = tmp_path / "features"
    extract = load_script("tools/extract_features.py")
    given = ["-w", weights, "-i", str(videos[0].parent), "-o", str(features), "--every", str(EVERY)]
    assert extract.main(given) == 0
    annotation = {}
    for number, video in enumerate(videos):
        facts = json.loads((features / f"{video.stem}.json").read_text())
        assert np.load(features / f"{video.stem}.npy").shape == (-(-facts["num_frames"] // EVERY), width)
        annotation[video.stem] = {
            "duration": facts["duration"],
            "subset": "validation" if number == 2 else "training",
            "annotations": [{"segment": [0.2, facts["duration"] / 2], "label": "Hop"}],
        }
    (tmp_path / "annotations.json").write_text(json.dumps(annotation))

    sizes = {"input.channels": width, "input.num_snippets": 12, "backbone.channels": 8, "neck.reduced_channels": 8}
    places = {"annotation": tmp_path / "annotations.json", "features": features}
    settings = [
        *(f"MODEL.{name}={size}" for name, size in sizes.items()),
        *(f"DATASET.{phase}.{name}={path}" for phase in ("train", "test") for name, path in places.items()),
        *("batch_size=2", "num_workers=0", "epochs=1", f"output_dir={tmp_path / 'output'}"),
    ]
    arguments = ["-c", str(CONFIGS / "localization" / "bmn.yaml"), "--device", "cpu"]
    assert main.main([*arguments, *(word for setting in settings for word in ("-o", setting))]) == 0

    new = features / f"{videos[2].stem}.npy"
    predict = load_script("tools/predict.py")
    best = ["-w", str(tmp_path / "output" / "best.pdparams")]
    assert predict.main([*best, "-i", str(new), "-o", str(tmp_path / "found")]) == 0
    rows = json.loads((tmp_path / "found" / f"{new.stem}.segments.json").read_text())["results"][new.stem]
    duration = annotation[new.stem]["duration"]
    assert rows and all(0 <= row["segment"][0] < row["segment"][1] <= duration for row in rows)
    assert cv2.imread(str(tmp_path / "found" / f"{new.stem}.png")) is not None

    from_video = ["-i", str(videos[2]), "--extractor", weights, "--every", str(EVERY), "-o", str(tmp_path / "again")]
    assert predict.main([*best, *from_video]) == 0
    names = [f"{folder}/{new.stem}.segments.json" for folder in ("found", "again")]
    assert (tmp_path / names[0]).read_bytes() == (tmp_path / names[1]).read_bytes()


def test_a_user_without_a_duration_is_told_where_it_belongs(tmp_path: Path) -> None:
    config = load_config(CONFIGS / "localization" / "bmn_sample.yaml", ["MODEL.input.num_snippets=12"])
    save_weights(build_model(config), tmp_path / "w.pdparams")
    save_config(config, tmp_path / "config.yaml")
    np.save(tmp_path / "v.npy", np.zeros((20, 32), np.float32))
    predict = load_script("tools/predict.py")
    given = ["-w", str(tmp_path / "w.pdparams"), "-i", str(tmp_path / "v.npy"), "-o", str(tmp_path / "found")]
    assert predict.main(given) == 1
    (tmp_path / "v.json").write_text('{"duration": 12.5}')
    assert predict.main(given) == 0
    assert predict.main([*given, "--stride", "2"]) == 1
