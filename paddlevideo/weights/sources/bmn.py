"""Weights of the BMN in PaddleVideo."""

from paddlevideo.weights.sources.base import Source

BMN_UPSTREAM = Source(
    title="BMN of PaddleVideo",
    marks=(r"^b_conv1\.weight$", r"^ts_conv1\.weight$", r"^p_conv3d1\.weight$"),
    renames=(
        (r"^b_conv1\.", "backbone.0."),
        (r"^b_conv2\.", "backbone.2."),
        (r"^p_conv1\.", "neck.narrow."),
        (r"^p_conv3d1\.", "neck.reduce."),
        (r"^p_conv2d1\.", "neck.mix."),
        (r"^ts_conv1\.", "head.start.0."),
        (r"^ts_conv2\.", "head.start.2."),
        (r"^te_conv1\.", "head.end.0."),
        (r"^te_conv2\.", "head.end.2."),
        (r"^p_conv2d2\.", "head.map.0."),
        (r"^p_conv2d3\.", "head.map.2."),
        (r"^p_conv2d4\.", "head.map.4."),
    ),
)
