"""AVA's own files through the reader of the format."""

from __future__ import annotations

import re

from paddlevideo.formats import AvaFormat
from tests.conftest import golden_path


def test_every_row_is_read_unless_excluded_or_of_another_action() -> None:
    truths, excluded, names = (
        golden_path(f"metrics/{name}") for name in ("ava_gt.csv", "ava_excluded.csv", "ava_labelmap_60.pbtxt")
    )
    annotation = AvaFormat(label_map=str(names), excluded=str(excluded), unlisted="drop").read(truths)
    assert list(annotation.classes) == re.findall(r'name: "(.*)"', names.read_text())
    number = {name: int(id) for name, id in re.findall(r'name: "(.*)"\s+label_id: (\d+)', names.read_text())}
    read = []
    for video in annotation.videos:
        assert video.tracks is not None
        for box, label, person in zip(video.boxes.tolist(), video.labels, video.tracks.tolist(), strict=True):
            second = f"{900 + (box[0] - 1) / 30:04.0f}"
            read.append(",".join([video.id, second, *(f"{v:.3f}" for v in box[1:]), str(number[label]), str(person)]))
    rows = truths.read_text().split()
    frames = tuple(f"{row}," for row in excluded.read_text().split())
    evaluated = set(map(str, number.values()))
    assert sorted(read) == sorted(r for r in rows if not r.startswith(frames) and r.split(",")[6] in evaluated)
    assert 0 < len(read) < len(rows)
