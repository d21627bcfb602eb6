"""Rules that keep the zoo open: no model is named where it must not be, and imports point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from paddlevideo import registry
from paddlevideo.registry import Registry
from paddlevideo.tasks import parts
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "paddlevideo"
LAYERS = (  # a file may import from its own line and the lines above
    ("utils", "types", "registry", "config"),
    ("loader", "modeling", "metrics", "solver", "weights", "formats", "engines"),
    ("tasks",),
    ("serve",),
)
NEUTRAL = [REPOSITORY / "main.py", *(REPOSITORY / "tools").glob("*.py"), *(PACKAGE / "tasks").glob("*.py")]


@pytest.mark.parametrize("path", NEUTRAL, ids=lambda path: path.name)
def test_no_part_of_a_model_is_named(path: Path) -> None:
    assert parts.REGISTERED  # filled the registries
    text = path.read_text()
    registries = [value for value in vars(registry).values() if isinstance(value, Registry)]
    names = [name for one in registries for name in one]
    assert len(names) > 10
    assert [name for name in names if name.lower() in text.lower()] == []


def layer_of(module: str) -> int:
    part = module.split(".")[1] if "." in module else module
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paddlevideo."):
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom) and node.module == "paddlevideo":
            found.update(f"paddlevideo.{alias.name}" for alias in node.names if alias.name in sum(LAYERS, ()))
    return found


def test_json_is_made_in_one_place_that_refuses_nan() -> None:
    sources = [
        REPOSITORY / "main.py",
        *(file for folder in ("tools", "paddlevideo") for file in (REPOSITORY / folder).rglob("*.py")),
    ]
    calls = {
        (path.relative_to(REPOSITORY).as_posix(), ast.unparse(node))
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dumps", "json.dump", "dumps", "dump")
    }
    assert {path for path, _ in calls} == {"paddlevideo/utils/files.py", "paddlevideo/formats/mat_reader.py"}
    assert all("allow_nan=False" in call for _, call in calls)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/**/*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = "paddlevideo." + path.relative_to(PACKAGE).as_posix().removesuffix(".py").replace("/", ".")
    for module in imports_of(path):
        assert layer_of(module) <= layer_of(own), f"{own} imports {module}"
        pair = {module.split(".")[1], own.split(".")[1]}
        assert pair != {"loader", "modeling"}, f"{own} imports {module}"
