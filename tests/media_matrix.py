"""Videos of many containers, codecs and peculiarities, read by number, in order and by the ffmpeg program.

`python -m tests.media_matrix` checks all of them and prints the table of `docs/robustness.md`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from paddlevideo.loader.media.video_file import VideoFile

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
COUNT, FPS = 48, 25
WIDTH, HEIGHT = 64, 48
CODECS = {
    "h264": ["-c:v", "libx264", "-g", "12", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
    "hevc": ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
    "mpeg4": ["-c:v", "mpeg4", "-g", "12", "-q:v", "3"],
    "xvid": ["-c:v", "libxvid", "-g", "12", "-q:v", "3"],
    "mpeg1": ["-c:v", "mpeg1video", "-g", "12", "-q:v", "3"],
    "mpeg2": ["-c:v", "mpeg2video", "-g", "12", "-q:v", "3"],
    "vp8": ["-c:v", "libvpx", "-g", "12", "-deadline", "realtime", "-auto-alt-ref", "1", "-lag-in-frames", "10"],
    "vp9": ["-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-lag-in-frames", "10", "-auto-alt-ref", "1"],
    "av1": ["-c:v", "libaom-av1", "-g", "12", "-cpu-used", "8", "-usage", "realtime"],
    "mjpeg": ["-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"],
    "theora": ["-c:v", "libtheora", "-g", "12", "-q:v", "8"],
    "wmv2": ["-c:v", "wmv2", "-g", "12", "-q:v", "3"],
    "flv1": ["-c:v", "flv", "-g", "12", "-q:v", "3"],
    "ffv1": ["-c:v", "ffv1", "-g", "12"],
    "prores": ["-c:v", "prores_ks"],
    "huffyuv": ["-c:v", "huffyuv", "-pix_fmt", "yuv422p"],
    "dv": ["-c:v", "dvvideo", "-s", "720x576", "-pix_fmt", "yuv420p"],
    "gif": ["-c:v", "gif"],
    "vvc": ["-c:v", "libvvenc", "-preset", "faster", "-pix_fmt", "yuv420p10le"],
}
_X265 = {"": "keyint=12:bframes=0", "B-frames": "keyint=12:bframes=2:open-gop=0", "open GOP": "keyint=12:bframes=2"}
OPTIONS = {  # of a peculiarity, for the encoders of most codecs
    "plain": ["-bf", "0"],
    "B-frames": ["-bf", "2"],
    "open GOP": ["-bf", "2"],
    "interlaced": ["-flags", "+ildct+ilme"],
    "variable rate": ["-vf", "setpts='round(if(lt(N,20),N,3*N-40)/25/TB)'", "-fps_mode", "passthrough"],
    "late start": ["-output_ts_offset", "3"],
    "10 bit": ["-pix_fmt", "yuv420p10le"],
    "odd size": ["-pix_fmt", "yuv444p"],
}
_MPEG2 = {"B-frames": ["-bf", "2", "-flags", "+cgop", "-sc_threshold", "1000000000"]}
_H264 = {
    "open GOP": ["-bf", "2", "-x264-params", "open-gop=1:scenecut=0"],
    "interlaced": ["-x264-params", "interlaced=1"],
}
SUFFIX_FORMATS = {"m2ts": ["-f", "mpegts", "-mpegts_m2ts_mode", "1"], "asf": ["-f", "asf"], "dv": ["-f", "dv"]}


@dataclass(frozen=True)
class Cell:
    """A video to be made and read."""

    suffix: str
    codec: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.codec}-{self.kind.replace(' ', '_')}.{self.suffix}"


def cells() -> Iterator[Cell]:
    """The whole matrix."""
    plain = {
        "avi": ["mpeg4", "xvid", "h264", "mjpeg", "mpeg2", "huffyuv", "ffv1", "wmv2"],
        "mp4": ["h264", "hevc", "mpeg4", "av1", "vp9", "mjpeg", "mpeg2", "vvc"],
        "mov": ["h264", "prores", "mjpeg", "hevc"],
        "mkv": ["h264", "hevc", "mpeg4", "vp8", "vp9", "av1", "mjpeg", "ffv1", "theora", "mpeg2", "prores", "huffyuv"],
        "webm": ["vp8", "vp9", "av1"],
        "mpg": ["mpeg1", "mpeg2"],
        "vob": ["mpeg2"],
        "ts": ["mpeg2", "h264", "hevc", "mpeg4"],
        "m2ts": ["mpeg2", "h264"],
        "flv": ["flv1", "h264"],
        "wmv": ["wmv2"],
        "asf": ["mpeg4", "h264", "wmv2"],
        "ogv": ["theora"],
        "3gp": ["mpeg4", "h264"],
        "m4v": ["mpeg4"],
        "h264": ["h264"],
        "hevc": ["hevc"],
        "m2v": ["mpeg2"],
        "mxf": ["mpeg2"],
        "dv": ["dv"],
        "gif": ["gif"],
        "ivf": ["vp8", "av1"],
    }
    reordering = {"h264", "hevc", "mpeg4", "xvid", "mpeg1", "mpeg2"}
    for suffix, codecs in plain.items():
        for codec in codecs:
            yield Cell(suffix, codec, "plain")
            if codec in reordering:
                yield Cell(suffix, codec, "B-frames")
            if codec in reordering - {"mpeg4", "xvid"}:  # theirs are open in any case
                yield Cell(suffix, codec, "open GOP")
            if codec in {"h264", "mpeg2", "mpeg4"} and suffix not in {"m4v", "3gp", "asf"}:
                yield Cell(suffix, codec, "interlaced")
            if suffix not in {
                "m4v",
                "h264",
                "hevc",
                "m2v",
                "mxf",
                "dv",
                "gif",
                "avi",
                "mpg",
                "vob",
                "ogv",
            } and codec not in ("mpeg2", "vvc"):
                yield Cell(suffix, codec, "variable rate")
            if suffix in {"mp4", "mov", "mkv", "webm", "ts", "m2ts", "mpg", "vob", "flv", "asf"}:
                yield Cell(suffix, codec, "late start")
            if suffix in {"mp4", "mov"} and codec in reordering:
                yield Cell(suffix, codec, "edit list")
            if codec in {"h264", "hevc", "vp9", "av1", "ffv1"} and suffix in {"mp4", "mkv", "webm", "ts", "mov"}:
                yield Cell(suffix, codec, "10 bit")
            if suffix in {"mp4", "mov", "mkv"} and codec in {"h264", "hevc", "mpeg4", "prores"}:
                yield Cell(suffix, codec, "rotation")
            if codec in {"h264", "mpeg4", "mjpeg", "vp9", "ffv1"} and suffix in {"mp4", "mkv", "avi"}:
                yield Cell(suffix, codec, "odd size")
            if (suffix, codec) != ("ivf", "av1"):  # ffmpeg gives up two frames earlier
                yield Cell(suffix, codec, "cut tail")


def write(cell: Cell, folder: Path) -> Path:
    """Make the video of a cell.

    Raises:
        RuntimeError: ffmpeg cannot.
    """
    path = folder / cell.name
    if cell.kind in ("edit list", "rotation", "cut tail"):
        base = Cell(cell.suffix, cell.codec, "B-frames" if cell.kind == "edit list" else "plain")
        source = folder / base.name
        if not source.exists():
            write(base, folder)
        if cell.kind == "cut tail":
            path.write_bytes(source.read_bytes()[: source.stat().st_size * 4 // 5])
        else:
            before = ["-ss", "0.8"] if cell.kind == "edit list" else ["-display_rotation", "90"]
            run([*before, "-i", source, "-c", "copy", *SUFFIX_FORMATS.get(cell.suffix, []), path])
        return path
    width, height = (65, 49) if cell.kind == "odd size" else (WIDTH, HEIGHT)
    pixels = b"".join(picture(number, width, height).tobytes() for number in range(COUNT))
    options = list(OPTIONS[cell.kind])
    if cell.codec == "h264":
        options = list(_H264.get(cell.kind, options))
    if cell.codec in ("mpeg1", "mpeg2"):
        options = list(_MPEG2.get(cell.kind, options))
    if cell.codec == "hevc":
        options = [
            *(options if cell.kind not in _X265 else []),
            "-x265-params",
            f"log-level=0:{_X265.get(cell.kind, _X265[''])}",
        ]
    if cell.kind == "odd size" and cell.codec in ("mpeg4", "mjpeg"):
        options = []
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", FPS, "-i", "-"]
    format_ = SUFFIX_FORMATS.get(cell.suffix, [])
    run([*source, *CODECS[cell.codec], *options, "-strict", "-2", "-threads", "1", *format_, path], pixels)
    return path


def run(arguments: Sequence[object], data: bytes = b"") -> bytes:
    """What ffmpeg writes to its standard output."""
    done = subprocess.run(
        [FFMPEG, "-v", "error", "-y", *map(str, arguments)], input=data, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-300:])
    return done.stdout


def picture(number: int, width: int, height: int) -> np.ndarray:
    """The number as eight black or white fields, two rows of four, and a red edge on the left."""
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(8):
        row, column = divmod(bit, 4)
        if number >> bit & 1:
            image[row * height // 2 : (row + 1) * height // 2, column * width // 4 : (column + 1) * width // 4] = 220
    return image


def number_of(frame: np.ndarray) -> int:
    """The number that `picture` drew."""
    height, width = frame.shape[:2]
    centres = [frame[(2 * r + 1) * height // 4, (2 * c + 1) * width // 8].mean() for r in range(2) for c in range(4)]
    return sum(int(level > 110) << bit for bit, level in enumerate(centres))


def expected_times(numbers: Sequence[int], kind: str) -> np.ndarray:
    """When frames of these numbers are shown, from the first on."""
    numbers = np.array(numbers, float)
    times = np.where((numbers >= 20) & (kind == "variable rate"), 3 * numbers - 40, numbers) / FPS
    return times - times[0]


def check(cell: Cell, path: Path) -> str:
    """Read a video in all ways.

    Returns:
        "right", or the reason for which it is refused.

    Raises:
        AssertionError: a frame or a time is wrong.
    """
    try:
        video = VideoFile(path)
        timed = list(video.timed())
        length = len(video)
    except ValueError as error:
        assert str(path) in str(error), error
        return f"refused: {str(error).removeprefix(f'{path}: ')}"
    frames = [frame for _, frame in timed]
    raw = run(
        [
            "-i",
            path,
            "-map",
            "0:V:0",
            "-vf",
            "scale=interl=-1",
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ]
    )
    reference = np.frombuffer(raw, np.uint8).reshape(-1, *video.size, 3)
    assert length == len(frames) == len(reference), (
        f"{length} by number, {len(frames)} in order, {len(reference)} by ffmpeg"
    )
    assert np.abs(np.stack(frames).astype(int) - reference).mean() < 3, "other pixels than ffmpeg's"
    for number in np.random.default_rng(0).permutation(length):
        assert np.array_equal(video.read(np.array([number]))[0], frames[number]), (
            f"frame {number} by number is another one"
        )
    clip = np.arange(length // 3, min(length, length // 3 + 16))
    assert np.array_equal(video.read(clip), np.stack(frames)[clip]), "a clip is another one"
    upright = [np.rot90(frame, -1) if cell.kind == "rotation" else frame for frame in frames]
    numbers = [number_of(frame) for frame in upright]
    whole = max(1, length - 1) if cell.kind == "cut tail" else length  # the last one may be cut itself
    steps = np.diff(numbers[:whole])
    assert (steps > 0).all() and (cell.codec == "xvid" or (steps == 1).all()), (
        f"the frames are {numbers}"
    )  # xvid drops some
    times = np.array([seconds for seconds, _ in timed])[:whole]
    wrong = np.abs(times - expected_times(numbers[:whole], cell.kind)).max()
    assert wrong < (0.081 if cell.codec == "xvid" else 0.021), f"times {times.tolist()}"
    return "right"


def main() -> None:
    """Check all cells and print the table."""
    outcomes: dict[tuple[str, str], dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells():
            try:
                outcome = check(cell, write(cell, Path(folder)))
            except RuntimeError as error:
                outcome = f"not made: {error}"
            except AssertionError as error:
                outcome = f"WRONG: {error}"
            print(cell.name, outcome, file=sys.stderr, flush=True)
            outcomes.setdefault((cell.suffix, cell.codec), {})[cell.kind] = outcome
    kinds = ["plain", *[k for k in OPTIONS if k != "plain"], "edit list", "rotation", "cut tail"]
    print("| container, codec | " + " | ".join(kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for (suffix, codec), row in outcomes.items():
        marks = [row.get(kind, "").split(":")[0] for kind in kinds]
        print(f"| {suffix}, {codec} | " + " | ".join(marks) + " |")


if __name__ == "__main__":
    main()
