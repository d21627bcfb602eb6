"""The kinds of video files that are read: the suffixes of their names and how their contents begin."""

from __future__ import annotations

import re
from typing import NamedTuple

PROBE_BYTES = 4096  # at the beginning of a file


class Container(NamedTuple):
    """A kind of video file.

    Attributes:
        name: for messages.
        suffixes: of file names.
        start: pattern of its first bytes.
    """

    name: str
    suffixes: tuple[str, ...]
    start: bytes


_ATOMS = b"ftyp|moov|mdat|wide|free|skip|junk|pnot|udta|uuid"
CONTAINERS = (
    Container("mp4", (".mp4", ".m4v", ".mov", ".3gp"), rb"....(?:" + _ATOMS + rb")"),
    Container("mkv", (".mkv", ".webm"), rb"\x1aE\xdf\xa3"),
    Container("avi", (".avi",), rb"RIFF....AVI[ X\x19]"),
    Container("ogg", (".ogv",), rb"OggS\0"),
    Container("flv", (".flv",), rb"FLV\x01"),
    Container("wmv", (".wmv",), rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Container("mpeg", (".mpg", ".mpeg"), rb"\0\0\x01|\0\0\0\x01"),  # also raw MPEG and H.26x streams
    Container("mpeg-ts", (".ts",), rb"(?:G.{187}){5}"),
    Container("m2ts", (".m2ts", ".mts"), rb"(?:.{4}G.{187}){5}"),  # packets of 192 bytes, a time before each of 188
    Container("mpeg-ts with error correction", (), rb"(?:G.{203}){5}"),
    Container("ivf", (), rb"DKIF\0\0"),
    Container("mxf", (), rb"\x06\x0e\x2b\x34"),
)
VIDEO_SUFFIXES = {suffix for container in CONTAINERS for suffix in container.suffixes}
_START = re.compile(b"|".join(container.start for container in CONTAINERS), re.DOTALL)
_PLAYLIST = re.compile(rb"#EXTM3U|ffconcat|<MPD|<CompositionPlaylist", re.IGNORECASE)


def begins_like_video(start: bytes) -> bool:
    """Whether the first bytes of a file are those of one of `CONTAINERS`.

    A playlist is not one of them, also when a container's first bytes precede it: a decoder looks for some playlists
    anywhere in the text at the beginning of a file, and would open the files that they name.

    Args:
        start: the first `PROBE_BYTES` of the file, or all of it.
    """
    return _START.match(start) is not None and not _PLAYLIST.search(start.partition(b"\0")[0])
