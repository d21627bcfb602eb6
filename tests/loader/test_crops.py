from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.loader.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    ScaleShortSide,
    ViewCrop,
    crop_options,
    crop_places,
    resize_smooth,
)
from paddlevideo.types import Sample


def numbered(height: int, width: int, **meta: int) -> Sample:
    """Two frames whose red tells the row and whose green tells the column."""
    frames = np.zeros((2, height, width, 3), np.uint8)
    frames[..., 0] = np.arange(height)[:, None]
    frames[..., 1] = np.arange(width)
    return {"frames": frames, "meta": {"id": "v", **meta}}


def corner(sample: Sample) -> tuple[int, int]:
    """Row and column of the upper left pixel."""
    row, column, _ = sample["frames"][0, 0, 0].tolist()
    return row, column


def test_the_middle_is_cut() -> None:
    sample = CenterCrop(20)(numbered(30, 40), None)
    assert sample["frames"].shape == (2, 20, 20, 3)
    assert corner(sample) == (5, 10)
    assert corner(CenterCrop(20)(numbered(23, 21), None)) == (2, 0)  # 1.5 and 0.5 are rounded to the even


def test_any_part_is_cut_in_training_the_same_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    crops = [RandomCrop(20)(numbered(22, 23), rng) for _ in range(200)]
    assert {corner(crop) for crop in crops} == {(row, column) for row in range(3) for column in range(4)}
    assert all(np.array_equal(*crop["frames"]) for crop in crops)
    assert corner(RandomCrop(20)(numbered(22, 24), None)) == (1, 2)


def test_three_views_lie_along_the_longer_side() -> None:
    crop = ViewCrop(20, places=3)
    assert [corner(crop(numbered(20, 40, view=view), None)) for view in range(4)] == [(0, 10), (0, 0), (0, 20), (0, 10)]
    assert [corner(crop(numbered(40, 20, view=view), None)) for view in range(3)] == [(10, 0), (0, 0), (20, 0)]


def test_ten_views_are_the_middle_the_corners_and_all_mirrored() -> None:
    crop = ViewCrop(20, places=10)
    seen = [corner(crop(numbered(30, 40, view=view), None)) for view in range(10)]
    assert seen[:5] == [(5, 10), (0, 0), (0, 20), (10, 0), (10, 20)]
    assert seen[5:] == [(row, column + 19) for row, column in seen[:5]]
    assert corner(crop(numbered(30, 40), None)) == (5, 10)  # without views
    with pytest.raises(ValueError, match="places should be 3 or 10, got 5"):
        ViewCrop(20, places=5)


@pytest.mark.parametrize("crop", [CenterCrop(20), RandomCrop(20), ViewCrop(20)])
def test_frames_that_are_too_small_are_named(crop: CenterCrop | RandomCrop | ViewCrop) -> None:
    with pytest.raises(ValueError, match="v: frames of 40x19 have no part of 20x20; put ScaleShortSide before"):
        crop(numbered(19, 40), np.random.default_rng(0))


def test_the_other_side_is_four_thirds_or_keeps_its_share() -> None:
    assert ScaleShortSide(24).target(48, 100) == (24, 32)
    assert ScaleShortSide(24, keep_aspect=True).target(48, 100) == (24, 50)
    assert ScaleShortSide(24).target(24, 100) == (24, 100)  # it fits, so nothing changes
    assert ScaleShortSide(24)(numbered(48, 100), None)["frames"].shape == (2, 24, 32, 3)


def test_smaller_pixels_are_means_of_what_they_cover() -> None:
    frames = np.zeros((1, 4, 8, 3), np.uint8)
    frames[:, :, 4:] = 240
    small = resize_smooth(frames, 4, 4)
    # A new pixel covers two old ones; the triangle reaches two to each side: weights 1, 3, 3, 1 of eighths.
    np.testing.assert_array_equal(small[0, 0, :, 0], [0, 30, 210, 240])
    assert resize_smooth(frames, 4, 8).base is None or np.array_equal(resize_smooth(frames, 4, 8), frames)


def test_every_pixel_is_the_rounded_sum_of_its_triangle() -> None:
    row = np.random.default_rng(0).integers(0, 256, 104, dtype=np.uint8)
    expected = []
    for centre in (np.arange(46) + 0.5) * 104 / 46:
        weights = np.maximum(1 - np.abs(np.arange(104) + 0.5 - centre) / (104 / 46), 0)
        expected.append(np.floor(weights @ row / weights.sum() + 0.5))
    frames = np.broadcast_to(row[:, None], (1, 5, 104, 3))
    np.testing.assert_array_equal(resize_smooth(frames, 5, 46)[0, 2, :, 1], expected)
    np.testing.assert_array_equal(resize_smooth(frames.transpose(0, 2, 1, 3), 46, 5)[0, :, 2, 1], expected)


def test_white_stays_white_at_every_size() -> None:
    for height, width in ((1, 1), (7, 50), (50, 7), (61, 83)):
        assert (resize_smooth(np.full((1, 20, 30, 3), 255, np.uint8), height, width) == 255).all()


def test_parts_have_neighbouring_shares() -> None:
    # 100, 87 and 66 pixels, the second of which is taken for the 88 of the output
    assert crop_options(100, 88, [1.0, 0.875, 0.66]) == [
        (100, 100), (100, 88), (88, 100), (88, 88), (88, 66), (66, 88), (66, 66),
    ]  # fmt: skip


def test_parts_lie_at_thirteen_places_or_where_there_is_room() -> None:
    assert set(crop_places(8, 4)) == {
        (0, 0), (0, 4), (8, 0), (8, 4), (4, 2), (0, 2), (4, 0), (4, 4), (8, 2), (2, 1), (2, 3), (6, 1), (6, 3),
    }  # fmt: skip
    assert crop_places(0, 0) == [(0, 0)]


def test_a_part_is_resized_to_a_square_in_training_only() -> None:
    sample = numbered(60, 80)
    cut = MultiScaleCrop(32)(sample, np.random.default_rng(0))
    assert cut["frames"].shape == (2, 32, 32, 3)
    assert MultiScaleCrop(32)(sample, None) is sample
    with pytest.raises(ValueError, match=r"shares in 0\.\.1 without 0, got 32 and \[1\.5\]"):
        MultiScaleCrop(32, shares=[1.5])
