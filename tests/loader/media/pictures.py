"""Pictures that tell their number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64


def picture(number: int) -> np.ndarray:
    """A smooth picture whose brightness and position of a bright square tell its number; the left is red (RGB)."""
    image = np.full((HEIGHT, WIDTH, 3), 40 + number % 200, np.uint8)
    image[:, : WIDTH // 3, 0] = 220
    image[20:40, 34 + number % 50 : 44 + number % 50] = 250
    return image


def write_folder(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number + 1:05d}.png"), picture(number)[..., ::-1])
    return folder
