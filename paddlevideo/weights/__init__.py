"""Weight files of this and other programs: recognised by their content, read without running code from them."""

from paddlevideo.weights.files import OWN, Weights, read_weights, write_tensors

__all__ = ["OWN", "Weights", "read_weights", "write_tensors"]
