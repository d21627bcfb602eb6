from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media import frame_folder as module
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.open_source import open_source
from tests.loader.media.pictures import HEIGHT, WIDTH, picture, write_folder


class TestFolder:
    def test_reads_rgb_in_the_order_asked_for(self, tmp_path):
        source = open_source(write_folder(tmp_path / "v", 4))
        np.testing.assert_array_equal(source.read(np.array([2, 0, 2])), np.stack([picture(2), picture(0), picture(2)]))
        assert (len(source), source.size, source.fps) == (4, (HEIGHT, WIDTH), 25.0)
        np.testing.assert_array_equal(np.stack(list(source.frames())), np.stack([picture(i) for i in range(4)]))

    def test_each_picture_is_decoded_once(self, tmp_path, monkeypatch):
        source, calls, read = FrameFolder(write_folder(tmp_path / "v", 3)), [], module._read_picture
        monkeypatch.setattr(module, "_read_picture", lambda path: calls.append(path.name) or read(path))
        assert source.read(np.array([0, 0, 0, 2])).shape == (4, HEIGHT, WIDTH, 3)
        assert calls == ["00001.png", "00003.png"]

    def test_a_folder_is_listed_once_until_it_changes(self, tmp_path, monkeypatch):
        folder, listed, iterdir = write_folder(tmp_path / "v", 3), [], Path.iterdir
        monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
        assert [len(FrameFolder(folder)) for _ in range(3)] == [3, 3, 3]
        assert len(listed) == 1
        cv2.imwrite(str(folder / "00004.png"), picture(3))
        os.utime(folder, ns=(0, 0))  # a clock that is too coarse to see two changes must not matter to this test
        assert len(FrameFolder(folder)) == 4

    def test_frames_are_changed_one_by_one_as_they_come(self, tmp_path):
        source, seen = FrameFolder(write_folder(tmp_path / "v", 3)), []

        def shrink(frames):
            seen.append(frames.shape)
            return frames[:, ::2, ::2]

        small = source.read(np.array([2, 0, 2]), shrink)
        assert seen == [(1, HEIGHT, WIDTH, 3)] * 2
        np.testing.assert_array_equal(small, source.read(np.array([2, 0, 2]))[:, ::2, ::2])

    def test_other_names_do_not_count(self, tmp_path):
        folder = write_folder(tmp_path / "v", 3)
        for name in (".DS_Store", "Thumbs.db", "cover.png", "00004.txt", "0004.png.tmp"):
            (folder / name).write_bytes(b"x")
        assert len(FrameFolder(folder)) == 3

    @pytest.mark.parametrize(
        ("name", "first"),
        [
            ("{:06d}.jpg", 0), ("frame_{:06d}.jpg", 0), ("VIDEO_{:06d}.jpeg", 1), ("img_{:05d}.JPG", 1), ("{}.JPEG", 9),
            ("my clip 2-{:03d}.PNG", 97),
        ],
    )  # fmt: skip
    def test_any_first_number_and_beginning(self, tmp_path, name, first):
        for number in range(4):
            kind = ".png" if name.endswith("PNG") else ".jpg"
            (tmp_path / name.format(first + number)).write_bytes(cv2.imencode(kind, picture(number))[1].tobytes())
        source = FrameFolder(tmp_path)
        assert (len(source), source.first_number) == (4, first)
        darker = [frame.mean() for frame in source.frames()]
        assert darker == sorted(darker)

    def test_hole_is_named_as_its_neighbours_are(self, tmp_path):
        for number in (0, 1, 3):
            (tmp_path / f"frame_{number:06d}.jpg").write_bytes(b"")
        with pytest.raises(FileNotFoundError, match=r"frame_000002\.jpg: no such frame.*3 pictures"):
            FrameFolder(tmp_path)

    def test_pictures_of_two_videos(self, tmp_path):
        for name in ("a_00001.jpg", "b_00002.jpg"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(ValueError, match=r"names begin alike, got [ab]_0000.\.jpg and [ab]_0000.\.jpg"):
            FrameFolder(tmp_path)

    def test_kinds_of_pictures_that_are_not_read(self, tmp_path):
        (tmp_path / "00001.bmp").write_bytes(b"")
        with pytest.raises(ValueError, match=r"\(JPEG or PNG\), got 00001\.bmp: convert them"):
            FrameFolder(tmp_path)

    def test_names_that_are_not_utf8(self, tmp_path):
        folder = tmp_path / os.fsdecode(b"caf\xe9")
        folder.mkdir()
        for number in range(2):
            data = cv2.imencode(".png", picture(number)[..., ::-1])[1].tobytes()
            (folder / os.fsdecode(b"\xb4\xf2%d.png" % number)).write_bytes(data)
        np.testing.assert_array_equal(np.stack(list(FrameFolder(folder).frames())), [picture(0), picture(1)])

    def test_hole_names_the_missing_frame(self, tmp_path):
        folder = write_folder(tmp_path / "v", 5)
        (folder / "00003.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"00003\.jpg: no such frame.*4 pictures up to 00005\.png"):
            FrameFolder(folder)

    def test_one_number_twice(self, tmp_path):
        folder = write_folder(tmp_path / "v", 2)
        (folder / "00002.jpg").write_bytes((folder / "00002.png").read_bytes())
        with pytest.raises(ValueError, match=r"00002.* and 00002.* are the same frame"):
            FrameFolder(folder)

    def test_empty_folder(self, tmp_path):
        with pytest.raises(ValueError, match="no frame in this folder"):
            FrameFolder(tmp_path)

    def test_picture_that_has_gone(self, tmp_path):
        source = FrameFolder(write_folder(tmp_path / "v", 2))
        (tmp_path / "v" / "00002.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"00002\.png"):
            source.read(np.array([0, 1]))

    @pytest.mark.parametrize("suffix", ["jpg", "png"])
    @pytest.mark.parametrize("keep", [0.0, 0.5, 0.98])
    @pytest.mark.parametrize("lenient", [False, True])
    def test_truncated_picture(self, tmp_path, monkeypatch, suffix, keep, lenient):
        data = cv2.imencode(f".{suffix}", np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))[1].tobytes()
        (tmp_path / f"00001.{suffix}").write_bytes(data)
        assert FrameFolder(tmp_path).read(np.array([0])).shape == (1, 40, 40, 3)
        (tmp_path / f"00001.{suffix}").write_bytes(data[: int(len(data) * keep)])
        if lenient:  # as OpenCV is, depending on its version
            monkeypatch.setattr(module.cv2, "imdecode", lambda *_: np.full((40, 40, 3), 128, np.uint8))
        with pytest.raises(ValueError, match=rf"00001\.{suffix}: (not a complete|expected a) (JPEG|PNG)"):
            FrameFolder(tmp_path).read(np.array([0]))

    def test_sizes_may_not_differ(self, tmp_path):
        folder = write_folder(tmp_path / "v", 2)
        cv2.imwrite(str(folder / "00002.png"), np.zeros((10, 20, 3), np.uint8))
        with pytest.raises(ValueError, match=r"00002\.png: is 20x10, but 00001\.png is 96x64"):
            FrameFolder(folder).read(np.array([0, 1]))
        with pytest.raises(ValueError, match=r"00002\.png: is 20x10, but 00001\.png is 96x64"):
            list(FrameFolder(folder).frames())
