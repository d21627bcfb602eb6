"""Faster convolutions on a CPU.

Paddle's eager mode computes convolutions by copying patches and multiplying matrices; oneDNN, several times faster, is
used in static graphs only. So each convolution becomes a small static graph of its own, which keeps parameters, their
names, gradients and exports as they are. Whole networks in one graph are slower or crash (Paddle 3.3).
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn


class _OneDNNConv2D(nn.Conv2D):
    def forward(self, x: Tensor) -> Tensor:
        return paddle.assign(super().forward(x))  # without a copy the graph's output would be erased with its operator


class _OneDNNConv3D(nn.Conv3D):
    def forward(self, x: Tensor) -> Tensor:
        return paddle.assign(super().forward(x))


def use_onednn(network: nn.Layer) -> None:
    """Let oneDNN compute all convolutions of a network that are larger than 1x1, where it helps.

    Nothing happens on other devices than the CPU.
    """
    if paddle.device.get_device() != "cpu":
        return
    paddle.set_flags({"FLAGS_use_onednn": True})
    for kind, replacement in ((nn.Conv2D, _OneDNNConv2D), (nn.Conv3D, _OneDNNConv3D)):
        for layer in network.sublayers():
            if type(layer) is kind and max(layer._kernel_size) > 1:
                layer.__class__ = replacement
                shape = [None, layer._in_channels, *[None] * len(layer._kernel_size)]
                spec = paddle.static.InputSpec(shape, stop_gradient=False)
                paddle.jit.to_static(layer, full_graph=True, input_spec=[spec])
