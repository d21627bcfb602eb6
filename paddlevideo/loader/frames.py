"""Where frames come from: folders of numbered pictures and video files."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.types import FrameChange, Frames, IntArray

try:
    import decord
except ImportError:  # it has no wheels for ARM; OpenCV reads the same frames
    decord = None

DEFAULT_FPS = 25.0
_PICTURE = re.compile(r"(?:img_)?([0-9]+)\.(?:jpg|png)", re.IGNORECASE)
_PICTURE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB\x60\x82"}  # JPEG and PNG: first bytes, last bytes
_TEXT_PROBE_BYTES = 4096
_LOST_IN_A_ROW = 3  # damaged frames of a video after which more are looked for
_PROBE_FRAMES = 16  # decoded at the beginning of a video to see whether its packets tell the truth
_SAME_PICTURE = 4.0  # mean difference in grey levels that two decoders may have
_ROUGHLY = 0.05  # difference of two rates that may come from rounded times
_ROUNDING = 1.5  # milliseconds by which distances between evenly spaced frames differ, as some files round times

Times = npt.NDArray[np.float64]  # [N], milliseconds


def as_decoded(frames: Frames) -> Frames:
    """The frames themselves: the change that is none."""
    return frames


def open_source(path: str | Path, num_frames: int | None = None) -> FrameSource:
    """The frames of a folder of pictures or of a video file.

    Args:
        path: the folder or file.
        num_frames: how many there should be, if an annotation says so.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: not a source of frames, or another number of them.
    """
    path = Path(path)
    source: FrameSource = FrameFolder(path) if path.is_dir() else VideoFile(path)
    if num_frames is not None and len(source) != num_frames:
        raise ValueError(
            f"{path}: expected {num_frames} frames, got {len(source)}; "
            "get the complete media again, or build the index anew if they are right"
        )
    return source


def decode_picture(data: bytes, where: str, remedy: str) -> Frames:
    """The picture `[H, W, 3]` of the content of a JPEG or PNG file.

    Args:
        data: the content.
        where: it is from, which begins the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: not a complete picture, or one that is too large.
    """
    end = _PICTURE_ENDS.get(data[:2])
    # Versions of OpenCV fill what is missing of a picture with grey and say nothing, hence the look at its end.
    whole = end is not None and data.rstrip(b"\0").endswith(end)
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    except cv2.error as error:
        raise ValueError(f"{where}: cannot be decoded, it may be too large ({error.err}); {remedy}") from error
    if frame is None:
        raise ValueError(f"{where}: not a complete JPEG or PNG picture ({len(data)} bytes); {remedy}")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def claimed_size(path: Path) -> tuple[int, int]:
    """Height and width that a video file says its frames have; none is decoded for it.

    Raises:
        ValueError: not a video.
    """
    with _capture(path) as capture:
        return round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


class FrameSource(ABC):
    """Frames that can be read by number."""

    path: Path
    fps: float  # frames a second
    claimed_length: int | None  # frames that the media say they have, which may be wrong; None if they do not say

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @abstractmethod
    def __len__(self) -> int:
        """How many frames there are."""

    @abstractmethod
    def decode(self, numbers: Sequence[int]) -> Iterator[Frames]:
        """Frames `numbers`, from 0 and rising, `[H, W, 3]` each.

        Raises:
            FileNotFoundError: a frame has gone.
            ValueError: a damaged frame, or frames of several sizes.
        """

    def frames(self) -> Iterator[Frames]:
        """All frames in order, `[H, W, 3]` each; one pass, one frame in memory; see `decode` for errors."""
        return self.decode(range(len(self)))

    @abstractmethod
    def timed(self) -> Iterator[tuple[float, Frames]]:
        """As `frames`, each with its time in seconds; the media are not looked through beforehand for their length."""

    @abstractmethod
    def damages(self) -> Iterator[str]:
        """What is wrong with the frames, all of which are read: damaged ones, or those of another size."""

    def read(self, indices: IntArray, change: FrameChange = as_decoded) -> Frames:
        """Frames `indices` (from 0, any order, repeats allowed) as uint8 `[T, H, W, 3]`, RGB.

        Args:
            indices: `[T]`.
            change: is given each frame as `[1, H, W, 3]` as soon as it is decoded, once, and answers what to keep.

        Raises:
            FileNotFoundError: a frame has gone.
            ValueError: no such frame, a damaged one, or frames of several sizes.
        """
        distinct, inverse = _distinct(indices, len(self), self.path)
        parts = (change(frame[None]) for frame in self.decode(distinct))
        first = next(parts)
        kept = np.empty((len(distinct), *first.shape[1:]), np.uint8)
        for place, part in enumerate(chain([first], parts)):
            kept[place] = part[0]
        return kept if np.array_equal(inverse, np.arange(len(kept))) else kept[inverse]


class FrameFolder(FrameSource):
    """Pictures `00001.jpg` (or png, or `img_00001.jpg`) to N in a folder; names that are no numbers are ignored.

    A process lists a folder once, and again when it has changed.

    Args:
        folder: where they are.

    Raises:
        FileNotFoundError: no such folder, or a number between 1 and N is missing.
        ValueError: no picture at all, or two with one number.
    """

    fps = DEFAULT_FPS  # pictures do not say

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        if not self.path.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder of frames")
        self._names = _picture_names(self.path.absolute(), self.path.stat().st_mtime_ns)
        self.claimed_length = len(self._names)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._names)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture in pixels."""
        height, width = _read_picture(self._path(0)).shape[:2]
        return height, width

    def decode(self, numbers: Sequence[int]) -> Iterator[Frames]:
        """See `FrameSource`."""
        first = None
        for path in map(self._path, numbers):
            frame = _read_picture(path)
            first = frame if first is None else first
            _check_size(path, frame, self._path(numbers[0]), first)
            yield frame

    def timed(self) -> Iterator[tuple[float, Frames]]:
        """See `FrameSource`."""
        for number, frame in enumerate(self.frames()):
            yield number / self.fps, frame

    def damages(self) -> Iterator[str]:
        """See `FrameSource`; every picture is compared with the first that can be read."""
        first: tuple[Path, Frames] | None = None
        for path in map(self._path, range(len(self))):
            try:
                frame = _read_picture(path)
                first = first or (path, frame)
                _check_size(path, frame, *first)
            except (OSError, ValueError) as error:
                yield str(error)

    def _path(self, number: int) -> Path:
        return self.path / self._names[number].decode()


@cache
def _picture_names(folder: Path, mtime: int) -> npt.NDArray[np.bytes_]:
    """Names of the pictures of a folder in order; the last argument only tells its states apart."""
    found = [(int(match[1]), match[0]) for f in folder.iterdir() if (match := _PICTURE.fullmatch(f.name))]
    names = dict(found)
    if not found:
        raise ValueError(f"{folder}: no frame in this folder; expected pictures 00001.jpg, 00002.jpg, ...")
    if len(names) < len(found):
        number, twice = next((number, name) for number, name in found if names[number] != name)
        raise ValueError(f"{folder}: {twice} and {names[number]} are the same frame; remove one")
    for number in range(1, len(names) + 1):
        if number not in names:
            raise FileNotFoundError(
                f"{folder}/{number:05d}.jpg: no such frame, though the folder holds {len(names)} pictures up to "
                f"{names[max(names)]}; frames should be numbered from 1 without a hole"
            )
    return np.array([names[number] for number in range(1, len(names) + 1)], np.bytes_)  # small, as it is kept


class VideoFile(FrameSource):
    """A video, decoded with one thread: clips are short, and workers share the cores.

    OpenCV reads. It tells frames apart by their times, so seeking is exact or is not used; where times do not tell,
    decord finds them by number if it agrees about the video. What containers say about their length is often wrong, so
    it comes from the times of all packets; where those are doubtful, the video is decoded once. A process remembers the
    answer. No file is held open between calls, so an object may be used after a fork.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a video, or one without a frame.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{path}: no such video file or folder of frames")
        status = self.path.stat()
        self._version = (str(self.path.absolute()), status.st_mtime_ns, status.st_size)
        self._size, self._claimed_fps, self.claimed_length = _properties(*self._version)

    @cached_property
    def fps(self) -> float:  # type: ignore[override]
        """Frames a second: what the file says, unless its frames come evenly at another rate."""
        return _rate(*self._version, self._claimed_fps)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame in pixels."""
        return self._size

    def __len__(self) -> int:
        """How many frames can be decoded."""
        return len(self._timeline[0])

    @property
    def _timeline(self) -> tuple[Times, bool]:
        return _timeline(*self._version)

    def decode(self, numbers: Sequence[int], seek: bool = True) -> Iterator[Frames]:
        """See `FrameSource`; a seek may lead to an earlier frame, and one that leads too far is not followed."""
        times, tell = self._timeline
        if not tell and _decord_agrees(*self._version, len(times)):
            yield from self._by_number(numbers)
            return
        with _capture(self.path) as capture:
            if seek := seek and tell and numbers[0] > 0:
                capture.set(cv2.CAP_PROP_POS_MSEC, times[numbers[0]])
            moments = _moments(capture, tell)
            now = next(moments, math.inf)
            if seek and now > times[numbers[0]]:
                yield from self.decode(numbers, seek=False)
                return
            for number in numbers:
                while not now >= times[number]:  # it is no number where a frame was lost
                    now = next(moments, math.inf)
                if now != times[number]:
                    raise ValueError(_lost(self.path, number, len(times)))
                yield _retrieve(capture, _lost(self.path, number, len(times)))

    def damages(self) -> Iterator[str]:
        """See `FrameSource`; what follows the first damage is not looked at."""
        try:
            for _ in self.frames():
                pass
        except ValueError as error:
            yield str(error)

    def timed(self) -> Iterator[tuple[float, Frames]]:
        """See `FrameSource`."""
        with _capture(self.path) as capture:
            for number, moment in enumerate(_moments(capture)):
                if math.isnan(moment):
                    raise ValueError(_lost(self.path, number))
                yield moment / 1000, _retrieve(capture, _lost(self.path, number))

    def _by_number(self, numbers: Sequence[int]) -> Iterator[Frames]:
        reader = decord.VideoReader(str(self.path.absolute()), num_threads=1)
        for number in numbers:
            try:
                yield reader[number].asnumpy()
            except (RuntimeError, decord.DECORDError):
                raise ValueError(_lost(self.path, number, len(self))) from None


@cache
def _properties(path: str, mtime: int, num_bytes: int) -> tuple[tuple[int, int], float, int | None]:
    """Height and width in pixels, frames a second and frames, as the file says.

    Its last two arguments only tell versions of a file apart.
    """
    with _capture(Path(path)) as capture:
        fps, length = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        nothing = f"{path}: no frame can be decoded, the video is empty or damaged; get it again"
        if not capture.grab():
            raise ValueError(nothing)
        height, width = _retrieve(capture, nothing).shape[:2]
    claimed_length = int(length) if 0 < length < math.inf else None
    return (height, width), fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS, claimed_length


@cache
def _rate(path: str, mtime: int, num_bytes: int, claimed: float) -> float:
    """Frames a second; raw streams claim what they do not know."""
    with _capture(Path(path)) as capture:
        steps = np.diff(list(islice(_moments(capture), _PROBE_FRAMES)))
    if len(steps) < 2 or not np.ptp(steps) <= _ROUNDING or not steps.mean() > 0:
        return claimed
    measured = 1000 / float(steps.mean())
    return claimed if abs(measured / claimed - 1) < _ROUGHLY else measured


@cache
def _timeline(path: str, mtime: int, num_bytes: int) -> tuple[Times, bool]:
    """Times of all frames in milliseconds and True; if they do not rise, the numbers of the frames and False."""
    times = _packet_times(Path(path))
    if times is None:
        with _capture(Path(path)) as capture:
            times = np.fromiter(_moments(capture), np.float64)
    if np.isnan(times).any():
        raise ValueError(_lost(path, int(np.isnan(times).argmax()), len(times)))
    tell = bool((np.diff(times) > 0).all())
    return (times if tell else np.arange(len(times), dtype=np.float64)), tell


@cache
def _decord_agrees(path: str, mtime: int, num_bytes: int, num_frames: int) -> bool:
    """Whether decord opens the file, and finds as many frames and the same first one (it may be rotated)."""
    if decord is None:
        return False
    try:
        reader = decord.VideoReader(path, num_threads=1)
        frame = reader[0].asnumpy()
    except (RuntimeError, decord.DECORDError):
        return False
    with _capture(Path(path)) as capture:
        capture.grab()
        first = _retrieve(capture, _lost(path, 0, num_frames))
    if len(reader) != num_frames or frame.shape != first.shape:
        return False
    return float(cv2.absdiff(frame, first).mean()) < _SAME_PICTURE


def _packet_times(path: Path) -> Times | None:
    """Times of the packets in rising order, which takes no decoding; None if they may not be those of the frames.

    They are if they are evenly spaced, so that no packet is hidden, and if decoding the beginning and the end of the
    video gives the same times.
    """
    with _capture(path, cv2.CAP_PROP_FORMAT, -1) as capture:
        times = np.sort(np.fromiter(_moments(capture), np.float64))
    if len(times) < 2 or np.ptp(np.diff(times)) > _ROUNDING:
        return None
    with _capture(path) as capture:
        head = list(islice(_moments(capture), _PROBE_FRAMES))
        capture.set(cv2.CAP_PROP_POS_MSEC, times[-1])
        tail = list(_moments(capture))
    same = tail and np.array_equal(head, times[:_PROBE_FRAMES]) and np.array_equal(tail, times[-len(tail) :])
    return times if same else None


def _moments(capture: cv2.VideoCapture, tell: bool = True) -> Iterator[float]:
    """Step from frame to frame (or packet): the time of each in milliseconds, or its number where times do not tell.

    A damaged frame counts as no number. It ends nothing, unlike the end.
    """
    number = 0
    while (failures := next((n for n in range(_LOST_IN_A_ROW + 1) if capture.grab()), None)) is not None:
        yield from [math.nan] * failures
        number += failures
        yield capture.get(cv2.CAP_PROP_POS_MSEC) if tell else float(number)
        number += 1


def _lost(path: str | Path, number: int, num_frames: int | None = None) -> str:
    total = "" if num_frames is None else f" of {num_frames}"
    return f"{path}: frame {number + 1}{total} cannot be decoded; the video is damaged, get it anew"


@contextmanager
def _capture(path: Path, *properties: int) -> Iterator[cv2.VideoCapture]:
    with path.open("rb") as file:
        if b"\0" not in file.read(_TEXT_PROBE_BYTES):  # FFmpeg would draw the letters of a text as frames
            raise ValueError(f"{path}: not a video but a text or an empty file; get it again, as mp4, avi, ...")
    place = str(path.absolute())  # FFmpeg would take a colon in a relative one for the end of a protocol
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *properties])
    try:
        if not capture.isOpened():
            raise ValueError(
                f"{path}: cannot be opened as a video, it is damaged or of an unknown format; get it again"
            )
        yield capture
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, complaint: str) -> Frames:
    done, frame = capture.retrieve()
    if not done:
        raise ValueError(complaint)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _read_picture(path: Path) -> Frames:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such frame; was it removed while reading?")
    return decode_picture(path.read_bytes(), str(path), "extract it again")


def _check_size(path: Path, frame: Frames, other_path: Path, other: Frames) -> None:
    if frame.shape != other.shape:
        raise ValueError(
            f"{path}: is {_spell(frame.shape)}, but {other_path.name} is {_spell(other.shape)}; all frames of a video "
            "should have one size"
        )


def _distinct(indices: IntArray, length: int, path: Path) -> tuple[list[int], IntArray]:
    """The different indices in rising order, and where each index is among them."""
    distinct, inverse = np.unique(indices, return_inverse=True)
    if not len(distinct):
        raise ValueError(f"{path}: asked for no frame at all; expected at least one index")
    if distinct[0] < 0:
        raise ValueError(f"{path}: frame numbers start at 0, got {distinct[0]}")
    if distinct[-1] >= length:
        raise ValueError(
            f"{path}: expected at least {distinct[-1] + 1} frames, got {length}; "
            "it may be truncated: get the complete media again"
        )
    return distinct.tolist(), inverse


def _spell(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
