"""Video models on PaddlePaddle, each a complete unit: its input, its network, its loss and its answer."""

import warnings

warnings.filterwarnings("ignore", message="No ccache found")

__version__ = "0.1.0"
