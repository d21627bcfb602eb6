"""Video models on PaddlePaddle, each a complete unit: its input, its network, its loss and its answer."""

import os
import warnings

os.environ.setdefault("GLOG_minloglevel", "1")  # read when Paddle is imported; silences lines about its executors
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))  # read when OpenCV is imported; 200 MB as RGB
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read at the first video: errors are raised, not printed
# Said by Paddle at imports, training steps and conversions to static graphs; none of it asks anything of a user.
for _message in ("No ccache found", "When training, we now always track", "Tensor do not have 'place' interface"):
    warnings.filterwarnings("ignore", message=_message)

# What the user asked for: Paddle sets this variable to 1 when it is imported.
REQUESTED_THREADS = os.environ.get("OMP_NUM_THREADS")

__version__ = "0.1.0"
