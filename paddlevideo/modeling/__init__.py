"""Networks, losses, and what stands before and after them."""

from paddlevideo.modeling import backbones, heads, inputs, losses, models, necks, postprocess

__all__ = ["backbones", "heads", "inputs", "losses", "models", "necks", "postprocess"]
