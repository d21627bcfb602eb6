from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest

from paddlevideo.loader.transforms import ColorDistort, HorizontalFlip, JitterCrop, OneSidedJitter

HEIGHT, WIDTH = 40, 60


class Draws:
    """A generator whose answers are given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def next(self, *_: Any, **__: Any) -> Any:
        return self.answers.pop(0)

    integers = random = uniform = next


def bright_box(x1: int, y1: int, x2: int, y2: int) -> dict[str, Any]:
    """Two black frames with one white rectangle, and its box."""
    frames = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    frames[:, y1:y2, x1:x2] = 255
    box = np.array([[x1, y1, x2, y2]], np.float32) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    targets = {"boxes": box.astype(np.float32), "labels": np.array([3])}
    return {"frames": frames, "targets": targets, "meta": {"id": "v"}}


def box_of_pixels(sample: dict[str, Any]) -> list[float]:
    """The rectangle that is white in the frames, as fractions."""
    rows, columns = np.nonzero(sample["frames"][0, :, :, 0])
    height, width = sample["frames"].shape[1:3]
    return [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]


@pytest.mark.parametrize("draws", [([5, 7], [3, 2]), ([-6, -9], [-4, -1]), ([5, -7], [-3, 2]), ([0, 0], [0, 0])])
def test_box_follows_the_pixels_when_cropping(draws: tuple[list[int], list[int]]) -> None:
    out = JitterCrop(0.2)(bright_box(20, 12, 41, 30), Draws(*draws))  # type: ignore[arg-type]
    (left, right), (top, bottom) = draws
    assert out["frames"].shape == (2, HEIGHT - top - bottom, WIDTH - left - right, 3)
    np.testing.assert_allclose(out["targets"]["boxes"][0], box_of_pixels(out), atol=1e-6)


def test_what_is_cut_off_is_clipped_or_dropped_with_its_label() -> None:
    sample = bright_box(0, 10, 20, 30)
    sample["targets"] = {
        "boxes": np.array([[0, 0.25, 1 / 3, 0.75], [0, 0, 0.1, 1]], np.float32),
        "labels": np.array([3, 4]),
    }
    out = JitterCrop(0.2)(sample, Draws([10, 0], [0, 0]))  # type: ignore[arg-type]
    np.testing.assert_allclose(out["targets"]["boxes"], [[0, 0.25, 0.2, 0.75]], atol=1e-6)
    assert out["targets"]["labels"].tolist() == [3]


def test_jitter_stays_in_its_range_and_reaches_both_ends() -> None:
    rng = np.random.default_rng(0)
    widths = {JitterCrop(0.1)(bright_box(20, 12, 41, 30), rng)["frames"].shape[2] for _ in range(3000)}
    assert (min(widths), max(widths)) == (WIDTH - 12, WIDTH + 12)


def test_flip_mirrors_box_and_pixels() -> None:
    out = HorizontalFlip(0.5)(bright_box(5, 12, 20, 30), Draws(0.49))  # type: ignore[arg-type]
    np.testing.assert_allclose(out["targets"]["boxes"][0], box_of_pixels(out), atol=1e-6)
    assert box_of_pixels(out)[0] == pytest.approx(40 / 60)
    same = HorizontalFlip(0.5)(bright_box(5, 12, 20, 30), Draws(0.5))  # type: ignore[arg-type]
    assert box_of_pixels(same)[0] == pytest.approx(5 / 60)


def test_colours_shift_as_in_the_colour_model() -> None:
    sample = bright_box(0, 0, WIDTH, HEIGHT)
    sample["frames"][:] = [200, 60, 60]
    # hue by 0.1, saturation times 1.2, value divided by 1.25
    out = ColorDistort(0.1, 1.5, 1.5)(sample, Draws(0.1, 1.2, 0.4, 1.25, 0.6))  # type: ignore[arg-type]
    hue, saturation, value = colorsys.rgb_to_hsv(200 / 255, 60 / 255, 60 / 255)
    expected = 255 * np.array(colorsys.hsv_to_rgb(hue + 0.1, saturation * 1.2, value / 1.25))
    np.testing.assert_allclose(out["frames"][1, 3, 3], expected, atol=3)


@pytest.mark.parametrize("transform", [JitterCrop(), HorizontalFlip(1.0), ColorDistort()])
def test_nothing_happens_without_a_generator(transform: Any) -> None:
    sample = bright_box(5, 12, 20, 30)
    out = transform(sample, None)
    np.testing.assert_array_equal(out["frames"], sample["frames"])
    np.testing.assert_array_equal(out["targets"]["boxes"], sample["targets"]["boxes"])


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match=r"below 0\.5, got 0\.6"):
        JitterCrop(0.6)
    with pytest.raises(ValueError, match="at least 1"):
        ColorDistort(saturation=0.5)
    with pytest.raises(ValueError, match=r"hue in 0\.\.1, got 1\.5, 1\.5 and 36"):
        ColorDistort(hue=36)
    for probability in (50, -0.5):
        with pytest.raises(ValueError, match=rf"probability should be in 0\.\.1, got {probability}"):
            HorizontalFlip(probability)


def test_one_sided_jitter_cuts_the_longer_and_pads_the_shorter_side() -> None:
    jitter = OneSidedJitter(jitter=0.1, box_jitter=0, fill=7)
    amounts = np.array([[2, 1], [3, 0]])  # of x and y at the low end, then at the high end; y pads one more
    out = jitter(bright_box(10, 8, 30, 20), Draws(amounts, np.zeros(4)))
    assert out["frames"].shape == (2, HEIGHT + 2 + 1, WIDTH - 2 - 3, 3)
    assert (out["frames"][:, [0, 1, -1]] == 7).all()
    inside = {**out, "frames": np.where(out["frames"] == 255, out["frames"], 0)}
    np.testing.assert_allclose(out["targets"]["boxes"][0], box_of_pixels(inside), atol=1e-6)


def test_one_sided_jitter_moves_all_boxes_alike() -> None:
    sample = bright_box(10, 8, 30, 20)
    sample["targets"] = {"boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.7, 0.9]]), "labels": np.array([0, 1])}
    out = OneSidedJitter(jitter=0.0, box_jitter=10)(sample, Draws(np.zeros((2, 2), int), np.array([6, -4, 3, 2])))
    moved = np.array([6 / WIDTH, -4 / HEIGHT, 3 / WIDTH, 2 / HEIGHT])
    np.testing.assert_allclose(out["targets"]["boxes"], sample["targets"]["boxes"] + moved, atol=1e-6)
    assert out["frames"].shape == (2, HEIGHT, WIDTH, 3)


def test_one_sided_jitter_draws_stay_in_range_and_tests_draw_nothing() -> None:
    jitter, rng = OneSidedJitter(jitter=0.1), np.random.default_rng(0)
    sample = bright_box(10, 8, 30, 20)
    shapes = np.array([jitter(sample, rng)["frames"].shape[1:3] for _ in range(300)])
    assert shapes[:, 0].min() == HEIGHT + 2 and shapes[:, 0].max() == HEIGHT + 8  # 1 to 4 rows at each end
    assert shapes[:, 1].min() == WIDTH - 10 and shapes[:, 1].max() == WIDTH  # 0 to 5 columns at each end
    assert jitter(sample, None) is sample
    with pytest.raises(ValueError, match=r"below 0\.5"):
        OneSidedJitter(jitter=0.5)
