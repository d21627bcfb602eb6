"""The suite."""

import paddlevideo  # noqa: F401 - before Paddle, which imports OpenCV, which reads its settings
