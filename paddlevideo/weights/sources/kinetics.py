"""3-D networks trained on Kinetics, as the official YOWO code starts from them: single branches with a classifier."""

from paddlevideo.weights.sources.base import TORCH_COUNTERS, TORCH_NORM, Source

BRANCHES = ((r"^(backbone_3d\.features\.\d+)\.banch", r"\1.branch"),)  # spelt so in the files
MARKS = {
    "3-D ResNet or ResNeXt on Kinetics (PyTorch)": (r"^conv1\.weight$", r"^layer1\.0\.conv1\.weight$"),
    "3-D MobileNet on Kinetics (PyTorch)": (r"^features\.0\.0\.weight$", r"^features\.1\.conv1\.weight$"),
    "3-D MobileNetV2 on Kinetics (PyTorch)": (r"^features\.0\.0\.weight$", r"^features\.1\.conv\.0\.weight$"),
    "3-D ShuffleNet on Kinetics (PyTorch)": (r"^conv1\.0\.weight$", r"^layer1\.0\.conv1\.weight$"),
    "3-D ShuffleNetV2 on Kinetics (PyTorch)": (r"^conv1\.0\.weight$", r"^features\.0\.banch2\.0\.weight$"),
}
KINETICS = tuple(
    Source(
        title=title,
        marks=marks,
        renames=((r"^", "backbone_3d."), *BRANCHES, *TORCH_NORM),
        left_out=(*TORCH_COUNTERS, r"^(fc|classifier)\."),
    )
    for title, marks in MARKS.items()
)
