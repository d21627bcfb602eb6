from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddlevideo.config import Config, save_config
from paddlevideo.registry import METRICS
from paddlevideo.utils.command import chosen_config
from paddlevideo.utils.plugins import import_plugins, require_plugins

REGISTERING = """
from paddlevideo.registry import METRICS
@METRICS.register
class Applause:
    pass
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that can be imported; what they register is forgotten afterwards."""
    for package, content in {"applauding": REGISTERING, "copying": REGISTERING, "failing": "x = 1\nx / 0\n"}.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
        (tmp_path / package / "parts.py").write_text(content)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "broken.py").write_text("x = 1\nx = = 2\n")
    (tmp_path / "lacking.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(METRICS, "_classes", dict(METRICS._classes))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere.parts", ValueError, "plugin nowhere.parts: no module nowhere is found; install it"),
        ("applauding.other", ValueError, "no module applauding.other is found"),
        ("failing.parts", RuntimeError, r"failing.parts: importing it raised at .*parts.py:2 ZeroDivisionError"),
        ("lacking", RuntimeError, r"lacking.py:1 ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
        ("leaving", RuntimeError, r"leaving: importing it raised at .*leaving.py:2 SystemExit: 3"),
        ("broken", RuntimeError, r"broken: importing it raised at .*broken.py:2 SyntaxError: "),
        (".parts", ValueError, "expected the name of a module"),
        ("a/b.py", ValueError, "expected the name of a module"),
    ],
)
def test_modules_that_cannot_be_imported_are_named(modules: Path, name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        import_plugins([name])


def test_two_plugins_with_one_name_are_named(modules: Path) -> None:
    import_plugins(["applauding.parts", "applauding.parts"])  # once is enough
    assert METRICS.get("Applause").__module__ == "applauding.parts"
    said = (
        r"copying.parts: .*parts.py:\d+ KeyError: metric Applause is registered twice, by applauding.parts and now by"
    )
    with pytest.raises(RuntimeError, match=said):
        import_plugins(["copying.parts"])


def test_only_what_the_user_names_is_imported(modules: Path, tiny_config: Config, tmp_path: Path) -> None:
    beside = tmp_path / "config.yaml"
    save_config(dataclasses.replace(tiny_config, plugins=("applauding.parts",)), beside)
    with pytest.raises(ValueError, match=r"config.yaml: its parts come from applauding.parts.*add --plugin applauding"):
        chosen_config(None, tmp_path / "best.pdparams")
    assert "applauding.parts" not in sys.modules
    config = chosen_config(None, tmp_path / "best.pdparams", plugins=["applauding.parts", "json"])
    assert config.plugins == ("applauding.parts", "json")
    assert "Applause" in METRICS


def test_the_file_that_the_user_names_imports_its_plugins(modules: Path, tiny_config: Config, tmp_path: Path) -> None:
    save_config(dataclasses.replace(tiny_config, plugins=("applauding.parts",)), tmp_path / "mine.yaml")
    assert chosen_config(tmp_path / "mine.yaml").plugins == ("applauding.parts",)
    assert "Applause" in METRICS
    require_plugins(["applauding.parts"], tmp_path)
