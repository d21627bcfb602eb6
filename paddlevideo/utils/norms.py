"""Batch normalisation where several processes share a batch: statistics of the whole batch, and equal ones in a file.

Paddle's own synchronised normalisation has no kernel for a CPU; there it is written in tensor arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import paddle
from paddle import Tensor, distributed, nn
from paddle.autograd import PyLayer
from paddle.nn.layer.norm import _BatchNormBase

from paddlevideo.utils import processes


def norms_of(network: nn.Layer) -> Iterator[tuple[str, Any]]:
    """Every batch normalisation with its name in the network."""
    for name, layer in network.named_sublayers(include_self=True):
        if isinstance(layer, _BatchNormBase):
            yield name, layer


def synchronise_norms(network: nn.Layer) -> None:
    """Let the normalisations of a network use the batches of all processes together; frozen ones stay as they are."""
    if processes.count() == 1:
        return
    on_cpu = paddle.device.get_device() == "cpu"
    for parent in network.sublayers(include_self=True):
        for name, layer in parent.named_children():
            if not isinstance(layer, _BatchNormBase) or layer._use_global_stats:
                continue
            if on_cpu:
                layer.__class__ = SYNCHRONISED[type(layer)]  # type: ignore[assignment]
            else:
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(layer))


@paddle.no_grad()
def average_statistics(network: nn.Layer) -> None:
    """Give the running statistics their means over the processes, where each has seen other samples."""
    if processes.count() == 1:
        return
    for _, layer in norms_of(network):
        if layer._use_global_stats or isinstance(layer, (_Synchronised, nn.SyncBatchNorm)):
            continue  # they are equal, and stay so to the bit
        for statistic in (layer._mean, layer._variance):
            distributed.all_reduce(statistic)
            statistic.scale_(1 / processes.count())


class _Synchronised(_BatchNormBase):
    """What makes a normalisation a synchronised one on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._use_global_stats:
            return super().forward(x)
        output, mean, variance = _Normalise.apply(x, self.weight, self.bias, self._epsilon)
        with paddle.no_grad():
            for statistic, seen in ((self._mean, mean), (self._variance, variance)):
                statistic.set_value(self._momentum * statistic + (1 - self._momentum) * seen)
        return output


SYNCHRONISED: dict[type[nn.Layer], type[nn.Layer]] = {
    kind: type(f"Synchronised{kind.__name__}", (_Synchronised, kind), {})
    for kind in (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D)
}


class _Normalise(PyLayer):
    """`[B, C, ...]` normalised by mean and variance over the batches of all processes (Ioffe and Szegedy 2015)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        axes = [0, *range(2, x.ndim)]
        own_mean = x.mean(axes, keepdim=True)
        own = paddle.stack([own_mean.flatten(), ((x - own_mean) ** 2).mean(axes)])  # [2, C]
        every: list[Tensor] = []
        distributed.all_gather(every, own)
        means, variances = paddle.stack(every, axis=1).unbind()  # [P, C]; all batches are equally large
        mean = means.mean(0)
        variance = (variances + (means - mean) ** 2).mean(0)
        shape = [1, -1, *[1] * (x.ndim - 2)]
        scale = paddle.rsqrt(variance + epsilon).reshape(shape)
        normal = (x - mean.reshape(shape)) * scale
        ctx.save_for_backward(normal, weight.reshape(shape) * scale)
        ctx.stopped = [value.stop_gradient for value in (x, weight, bias)]
        ctx.mark_non_differentiable(mean, variance)
        return normal * weight.reshape(shape) + bias.reshape(shape), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        gradient, (normal, factor) = gradients[0], ctx.saved_tensor()
        axes = [0, *range(2, normal.ndim)]
        own = paddle.stack([gradient.sum(axes), (gradient * normal).sum(axes)])  # [2, C]
        total = own.clone()
        distributed.all_reduce(total)
        per_value = processes.count() * normal.size // normal.shape[1]
        shift, slope = (total / per_value).reshape([2, *factor.shape])
        to_x = factor * (gradient - shift - normal * slope)
        found = (to_x, own[1], own[0])
        return tuple(None if stopped else value for stopped, value in zip(ctx.stopped, found, strict=True))
