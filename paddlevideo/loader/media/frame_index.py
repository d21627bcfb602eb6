"""Which packet of a video file has which frame, and where decoding can begin."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from paddlevideo.loader.media.container import OpenVideo, Place, open_video, packet_time

PROBE_FRAMES = 16  # decoded at a place of a video to see whether its packets tell the truth
_COMPARED_FRAMES = 4  # after a key frame, decoded with and without what is before it
_ROUNDING = 1.5e-3  # seconds by which distances between evenly spaced frames differ, as some files round times
_TINY = 12  # bytes; so small a packet may stand for no frame: "not coded", or a part of another one

Numbers = npt.NDArray[np.int32]
Times = npt.NDArray[np.float64]  # seconds


class LostFrameError(ValueError):
    """A frame that cannot be decoded.

    Args:
        number: of the frame, from 0.
        too_large: whether its size is the reason.
    """

    def __init__(self, number: int, too_large: bool = False) -> None:
        super().__init__(f"frame {number + 1} cannot be decoded")
        self.number, self.too_large = number, too_large


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video file.

    Args:
        numbers: `[P]`, the number of the frame that is decoded from each packet, -1 for none.
        keys: `[K]`, the packets of key frames, rising, with the fields of `Place`.
        times: `[N]`, when each frame is shown; None if the packets themselves say it.
    """

    numbers: Numbers
    keys: npt.NDArray[np.void]
    times: Times | None

    def __len__(self) -> int:
        """How many frames there are."""
        return int(self.numbers.max(initial=-1)) + 1

    def place_before(self, number: int) -> Place | None:
        """The last key frame up to a frame; None if the file has to be decoded from its beginning."""
        shown = self.numbers[self.keys["packet"]]
        usable = np.flatnonzero((shown >= 0) & (shown <= number))
        return Place(*self.keys[usable[-1]].item()) if len(usable) else None

    def decode(self, video: OpenVideo, place: Place | None, wanted: Sequence[int]) -> Iterator[av.VideoFrame]:
        """Frames `wanted`, rising, decoded from a place on.

        Raises:
            LostFrameError: one is damaged, or needs a damaged one. Also if the decoder conceals damage and did not
                begin with the first packet: the result depends on what it has seen.
        """
        remaining = iter(wanted)
        number = next(remaining, None)
        lost: LostFrameError | None = None
        spoilt = range(0)  # packets that may need a damaged one, which is the first of them
        sought = int(self.numbers[place.packet]) if place is not None and place.packet > 0 else len(self)
        for decoded in video.frames(place, len(self.numbers)):
            if number is None:
                return
            now = int(self.numbers[decoded.packet])
            if decoded.frame is None:
                lost = LostFrameError(number if now < 0 else now, decoded.too_large)
                start = spoilt.start if decoded.packet in spoilt else decoded.packet
                spoilt = range(start, self._key_after(decoded.packet))
                continue
            if decoded.frame.is_corrupt and now >= sought:
                raise LostFrameError(number)  # which may be made from this one
            if now < number:
                continue
            if lost is not None and (now > number or decoded.packet in spoilt):
                raise lost
            if now > number:
                raise LostFrameError(number)
            yield decoded.frame
            number = next(remaining, None)
        if number is not None:
            raise lost or LostFrameError(number)

    def _key_after(self, packet: int) -> int:
        later = self.keys["packet"][self.keys["packet"] > packet]
        return int(later[0]) if len(later) else len(self.numbers)


class _Packets(NamedTuple):
    """The packets of a video: whether something is known about the time of each, and what."""

    shown: Times  # [P], when the frame of each is shown; nan if the file does not say
    decoded: Times  # [P], when each is decoded; nan if the file does not say
    sizes: Numbers  # [P], bytes; 0 if the container says that the packet is not to be shown
    keys: npt.NDArray[np.void]  # [K]


def build_index(path: Path) -> FrameIndex:
    """Find the frames of a file.

    Packets are read without decoding. Their times are believed if they are evenly spaced, so that no packet is hidden,
    and decoding the beginning, the middle and the end gives their frames in this order. Else all of it is decoded.

    Raises:
        ValueError: not a video.
        LostFrameError: a frame in the middle cannot be decoded, and nothing else says how many there are.
    """
    packets = _read_packets(path)
    numbers = _numbers_by_time(packets)
    if numbers is None or not _are_right(path, packets.keys, numbers):
        numbers = _numbers_by_decoding(path, len(packets.shown))
    return FrameIndex(numbers, packets.keys, _missing_times(packets, numbers))


def _read_packets(path: Path) -> _Packets:
    rows, keys = [], []
    with open_video(path) as video:
        for number, packet in enumerate(video.packets()):
            rows.append((packet.pts, packet.dts, 0 if packet.is_discard else packet.size))
            if packet.is_keyframe or number == 0:
                keys.append((number, packet_time(packet), zlib.crc32(packet)))
        unit = float(video.time_base)
    table = np.array(rows, np.float64).reshape(-1, 3)  # None becomes nan
    kind = np.dtype([("packet", np.int32), ("time", np.int64), ("checksum", np.uint32)])
    return _Packets(table[:, 0] * unit, table[:, 1] * unit, table[:, 2].astype(np.int32), np.array(keys, kind))


def _numbers_by_time(packets: _Packets) -> Numbers | None:
    """The number of the frame of each packet if every packet has one and the times leave no doubt about the order."""
    times = np.sort(packets.shown)
    if len(times) < 2 or np.isnan(times).any() or packets.sizes.min() <= _TINY:
        return None
    steps = np.diff(times)
    if np.ptp(steps) > _ROUNDING or steps.min() <= 0:
        return None
    numbers = np.empty(len(times), np.int32)
    numbers[np.argsort(packets.shown)] = np.arange(len(times))
    return numbers


def _are_right(path: Path, keys: npt.NDArray[np.void], numbers: Numbers) -> bool:
    """Whether the frames that are decoded at the beginning, in the middle and at the end have these numbers."""
    middle = keys[np.searchsorted(keys["packet"], len(numbers) // 2, "right") - 1]
    probes = {0: PROBE_FRAMES, int(middle["packet"]): PROBE_FRAMES, int(keys[-1]["packet"]): len(numbers)}
    for key in keys[np.isin(keys["packet"], list(probes))]:
        first = (
            int(numbers[key["packet"]]) if key["packet"] else 0
        )  # what precedes the first one may need what is not there
        expected = list(range(first, min(first + probes[int(key["packet"])], len(numbers))))
        with open_video(path) as video:
            if list(islice(_shown(video, Place(*key.item()), numbers, first), len(expected))) != expected:
                return False
    return True


def _shown(video: OpenVideo, place: Place, numbers: Numbers, first: int) -> Iterator[int]:
    """The numbers from `first` on, in the order in which frames come; a damaged frame has one if others follow it."""
    damaged: list[int] = []
    for decoded in video.frames(place, len(numbers)):
        number = int(numbers[decoded.packet])
        if decoded.frame is None:
            damaged.append(number)
        elif number >= first:
            yield from (lost for lost in sorted(damaged) if lost < number)
            damaged = [lost for lost in damaged if lost > number]
            yield number


def _numbers_by_decoding(path: Path, num_packets: int) -> Numbers:
    numbers = np.full(num_packets, -1, np.int32)
    count = 0
    lost: tuple[float, LostFrameError] | None = None
    with open_video(path) as video:
        for decoded in video.frames(end=num_packets):
            if decoded.frame is None:
                lost = lost or ((decoded.place, LostFrameError(count, decoded.too_large)) if count else None)
                continue
            if lost is not None and decoded.place > lost[0]:
                raise lost[1]
            if numbers[decoded.packet] >= 0:
                raise ValueError(
                    f"{path}: packet {decoded.packet + 1} has several frames, which cannot be told apart; convert it "
                    "with ffmpeg -i IN -c:v libx264 OUT.mp4"
                )
            numbers[decoded.packet] = count
            count += 1
    return numbers


def _missing_times(packets: _Packets, numbers: Numbers) -> Times | None:
    """When each frame is shown, if a frame has no time of its own or one before that of the frame before it."""
    packet_of = np.argsort(numbers)[np.count_nonzero(numbers < 0) :]
    shown = packets.shown[packet_of]
    if not np.isnan(shown).any() and (np.diff(shown) > 0).all():
        return None
    return np.sort(packets.decoded[packet_of])  # one of them is due when the next one is shown


def keys_hold(path: Path, index: FrameIndex) -> bool:
    """Whether frames decoded from key frames are those decoded from further back, at up to three places of the video.

    The places are in its first, second and last third, each where the key frame before is nearest.
    """
    keys = index.keys[index.numbers[index.keys["packet"]] >= 0]
    gaps = np.diff(keys["packet"])
    for third in np.array_split(np.arange(len(gaps)), 3):
        if not len(third):
            continue
        at = int(third[gaps[third].argmin()])
        before, place = (Place(*key.item()) for key in keys[at : at + 2])
        first = int(index.numbers[place.packet])
        wanted = range(first, min(first + _COMPARED_FRAMES, len(index)))
        try:
            with open_video(path) as video, open_video(path) as other:
                pairs = zip(index.decode(video, before, wanted), index.decode(other, place, wanted), strict=True)
                if not all(np.array_equal(video.picture(a), other.picture(b)) for a, b in pairs):
                    return False
        except LostFrameError:
            return False
    return True
