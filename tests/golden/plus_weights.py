"""YOWO-Plus and YOWO-Nano: deterministic weights and clips of the reference folder, and our names in its spelling."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from paddle import nn

from tests.conftest import golden_path
from tests.golden.weights import generator

RENAMED = (  # ours, theirs
    (r"^backbone_2d\.stage6\.5\.", "backbone_2d.convsets_1.0."),
    (r"^backbone_2d\.stage6\.6\.", "backbone_2d.convsets_1.1."),
    (r"^backbone_2d\.stage(\d)\.", r"backbone_2d.backbone.conv_\1."),
    (r"^backbone_2d\.passthrough\.", "backbone_2d.route_layer."),
    (r"^backbone_2d\.fuse\.", "backbone_2d.convsets_2."),
    (r"^(backbone_2d\..*)\.conv\.", r"\1.convs.0."),
    (r"^(backbone_2d\..*)\.bn\.", r"\1.convs.1."),
    (r"^backbone_2d\.predict\.", "backbone_2d.pred."),
    (r"\.branch(\d)\.", r".banch\1."),
    (r"^neck\.reduce\.", "channel_encoder.fuse_convs.0.convs."),
    (r"^neck\.mix\.", "channel_encoder.fuse_convs.1.convs."),
    (r"^neck\.attention\.", "channel_encoder.fuse_convs.2."),
    (r"^neck\.refine\.", "channel_encoder.fuse_convs.3.convs."),
    (r"^neck\.project\.", "channel_encoder.fuse_convs.5."),
    (r"^head\.conv\.", "pred."),
    (r"\._mean$", ".running_mean"),
    (r"\._variance$", ".running_var"),
)
SCALES = (  # patterns of their names; the first that fits counts
    (r"backbone_3d\.layer\d\.\d+\.conv3\.weight", 0.25),
    (r"backbone_3d\.layer\d\.0\.downsample\.0\.weight", 0.7),
    (r"channel_encoder\.fuse_convs\.1\.convs\.0\.weight", 0.3),
    (r"pred\.weight", 1.5),
)


def index() -> dict[str, Any]:
    """What the folder says of its cases."""
    content: dict[str, Any] = json.loads(golden_path("yowo_plus/index.json").read_text())
    return content


def seed() -> int:
    return int(index()["seed"])


def their_name(name: str) -> str:
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def weight(name: str, shape: tuple[int, ...], number: int) -> npt.NDArray[np.float64]:
    """The reference value of a parameter or buffer, by its reference name."""
    normal = generator(name, number).standard_normal(shape)
    kind = name.rpartition(".")[2]
    if kind == "running_var":
        return 1 + 0.1 * np.abs(normal)
    if kind == "gamma":
        return 0.3 + 0.05 * normal
    if kind in ("bias", "running_mean"):
        return 0.1 * normal
    if len(shape) < 4:
        return 1 + 0.1 * normal
    scale = next((scale for pattern, scale in SCALES if re.fullmatch(pattern, name)), None)
    if scale is None:
        scale = 0.85 if len(shape) == 5 and shape[1] == 1 else 1.0
    return normal * math.sqrt(2 / math.prod(shape[1:])) * scale


def load_weights(model: nn.Layer) -> None:
    """Fill a model with reference weights."""
    number = seed()
    state = model.state_dict()
    for name, value in state.items():
        made = weight(their_name(name), tuple(value.shape), number).astype(np.float32)
        value.set_value(made.astype(str(value.dtype).removeprefix("paddle.")))


def clip(name: str, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> npt.NDArray[np.float32]:
    """The reference clip `[B, C, T, H, W]`, normalised."""
    rng = generator(name, seed())
    low = rng.random((*shape[:3], shape[3] // 16, shape[4] // 16))
    noise = rng.random(shape)
    high = low.repeat(16, axis=3).repeat(16, axis=4)
    u = (0.8 * high + 0.2 * noise).astype(np.float32)
    return (u - np.float32(mean)) / np.float32(std)
