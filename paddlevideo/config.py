"""A run's yaml file: loaded safely, merged with one parent, overridden, checked."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import yaml

from paddlevideo.registry import suggestion
from paddlevideo.types import Node
from paddlevideo.utils.files import check_size, write_text
from paddlevideo.utils.names import broken_rule, check_text
from paddlevideo.utils.text_files import read_text

Tree = dict[str, Any]
PHASES, STEPS = ("train", "test"), ("sample", "transform")  # of DATASET and PIPELINE, and of each pipeline
MAX_NODES = 100_000  # of a yaml file, with all that its aliases stand for
MAX_BYTES = 16 << 20  # of a yaml file
MAX_DIGITS = 100  # of a number in a yaml file
TAG = "tag:yaml.org,2002:"
KINDS = ("null", "bool", "int", "float", "str", "seq", "map")  # of values, as yaml calls them


@dataclass(frozen=True)
class Config:
    """Sections in capitals describe parts by `name` and arguments; the rest are the run's own numbers.

    Below a section nodes are checked by the constructors they build.
    """

    MODEL: Node
    classes: Sequence[str] = ()  # names, or in the file the path of a text file with one name a line
    DATASET: Node = field(default_factory=dict)  # train, test
    PIPELINE: Node = field(default_factory=dict)  # train, test: sample, transform
    OPTIMIZER: Node = field(default_factory=dict)
    METRIC: Sequence[Node] = ()  # the first one's primary number decides what is best
    INFERENCE: Node = field(default_factory=dict)
    pretrained: Sequence[str] = ()  # weight files or URLs that training starts from, such as one for each branch
    epochs: int = 1
    batch_size: int = 1  # of each process
    accumulation: int = 1  # batches summed up before the weights move
    accumulation_reduction: Literal["sum", "mean"] = "mean"
    sync_bn: bool = False  # whether several processes normalise by the statistics of all their batches together
    num_workers: int = 2
    seed: int = 0
    amp: Node = field(default_factory=dict)  # level, dtype of mixed precision (tasks/precision.py)
    ema: float | None = None  # share of the average of the weights that stays at each step
    visualdl: Node = field(default_factory=dict)  # what is shown beside curves (tasks/board.py)
    max_iters: int | None = None
    val_interval: int = 1  # epochs
    save_interval: int = 1  # epochs between checkpoints
    save_minutes: float | None = None  # longest time between checkpoints, 0 is after every batch
    keep: int = 2  # newest checkpoints that are kept, besides the best
    log_interval: int = 10  # batches
    output_dir: str = "output"
    plugins: Sequence[str] = ()  # modules of a user's own that register parts (docs/plugins.md)

    def to_dict(self) -> Tree:
        """Plain containers, as written to `config.yaml`."""
        return typing.cast(Tree, _plain(dataclasses.asdict(self)))


class _Loader(yaml.SafeLoader):
    """Safe yaml with plain values alone.

    It refuses a key given twice, aliases that stand for themselves or for very much, merge keys, dates and other tags,
    and integers of more than 64 bits. Numbers to base 60, such as `1:30`, are refused too: who writes one means text.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.sizes: dict[yaml.Node, int] = {}  # of all complete nodes, with what their aliases stand for

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        is_alias, mark = self.check_event(yaml.AliasEvent), self.peek_event().start_mark
        node = super().compose_node(parent, index)
        if node is None or (is_alias and node not in self.sizes):
            raise yaml.MarkedYAMLError(problem="an alias inside of what it stands for", problem_mark=mark)
        if not is_alias:
            values = () if isinstance(node, yaml.ScalarNode) else node.value
            parts = chain.from_iterable(values) if isinstance(node, yaml.MappingNode) else values
            self.sizes[node] = 1 + sum(self.sizes[part] for part in parts)
        if self.sizes[node] > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values up to here", problem_mark=mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if (problem := _fault(node)) is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:  # such as !!timestamp x
            raise yaml.MarkedYAMLError(problem=f"no {node.tag}: {error}", problem_mark=node.start_mark) from error

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if isinstance(value, str) and (rule := broken_rule(value)):
            raise yaml.MarkedYAMLError(problem=f"expected {rule}, got {value[:100]!r}", problem_mark=node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                problem = f"key {key!r} stands here twice" if isinstance(key, Hashable) else "key is not a word"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _fault(node: yaml.Node) -> str | None:
    """What is wrong with a value or key before it is made, None if nothing is."""
    kind = node.tag.removeprefix(TAG)
    if kind == "merge":
        return "merge keys << are not known here; write the keys out, or build on another file with _base_"
    if node.tag.startswith(TAG) and kind not in KINDS:
        return f"expected text, a number, true or false, a list or a mapping, got a {kind}; put text in quotes"
    if kind not in ("int", "float") or not isinstance(node, yaml.ScalarNode):
        return None
    text = node.value
    if ":" in text:
        return f"{text[:40]} would be a number to base 60; put it in quotes if it is text, or write a plain number"
    if len(text) > MAX_DIGITS:
        return f"a number should have at most {MAX_DIGITS} digits, got {len(text)}"
    if kind == "int" and _wide(text):
        return f"an integer should have at most 64 bits, got {text}"
    return None


def _wide(text: str) -> bool:
    try:
        return int(yaml.SafeLoader("").construct_yaml_int(yaml.ScalarNode(f"{TAG}int", text))).bit_length() > 64
    except ValueError:  # which is said when it is made
        return False


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file.

    Args:
        path: a yaml file; `_base_: other.yaml` names a parent beside it, which must not have one itself.
        overrides: `KEY.KEY=VALUE` with yaml values; the key must exist.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not yaml, a key twice, a parent with a parent, a malformed override, a number that is none.
        KeyError: unknown section, phase, scalar or override.
        TypeError: a value of the wrong type.
    """
    path = Path(path)
    tree = _read(path)
    base = tree.pop("_base_", None)
    if base is not None:
        if not (path.parent / str(base)).is_file():
            raise FileNotFoundError(f"{path}: _base_ names no file: {path.parent / str(base)}")
        parent = _read(path.parent / str(base))
        if "_base_" in parent:
            raise ValueError(f"{path}: its parent {base} has a parent itself; only one level is allowed")
        tree = _merge(parent, tree)
    for override in overrides:
        _override(tree, override)
    return _check(tree, path)


def save_config(config: Config, path: Path) -> None:
    """Write the resolved config, readable by `load_config`."""
    text = yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True, width=120)
    write_text(path, text)


def read_yaml(path: Path) -> Any:
    """The content of a yaml file, safely.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a yaml file; the message says where.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    check_size(path, MAX_BYTES)
    try:
        return yaml.load(read_text(path), Loader=_Loader)  # a SafeLoader  # nosec B506
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"{mark.line + 1}:{mark.column + 1}: "
        raise ValueError(f"{path}:{place or ' '}not a yaml file: {' '.join(str(error).split())}") from error


def _read(path: Path) -> Tree:
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: expected sections such as MODEL and DATASET, got {type(tree).__name__}")
    return tree


def _merge(parent: Tree, child: Tree) -> Tree:
    """Mappings merge, others replace, null leaves out; a part of another name replaces its parent's whole."""
    if child.get("name", parent.get("name")) != parent.get("name"):
        return child
    merged = dict(parent)
    for key, value in child.items():
        both = isinstance(value, dict) and isinstance(parent.get(key), dict)
        merged[key] = _merge(parent[key], value) if both else value
    return merged


def _override(tree: Tree, text: str) -> None:
    dotted, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"-o {text}: expected KEY=VALUE, such as -o MODEL.input.num_frames=8")
    check_text(text, "-o", "use names in UTF-8 in settings")
    try:
        parsed = yaml.load(value, Loader=_Loader)  # a SafeLoader  # nosec B506
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"-o {text}: the value is not yaml: {error}") from error
    *parents, last = dotted.split(".")
    node: Any = tree
    for key in parents:
        node = _step(node, key, text)
    if isinstance(node, dict) and node is tree and last in _fields() and last not in node:
        node[last] = parsed  # a scalar that the file leaves at its default
        return
    _step(node, last, text)
    node[int(last) if isinstance(node, list) else last] = parsed


def _step(node: Any, key: str, text: str) -> Any:
    """The child `key` of a mapping or, by number, of a list."""
    if isinstance(node, list) and key in map(str, range(len(node))):
        return node[int(key)]
    if not isinstance(node, dict) or key not in node:
        known = node if isinstance(node, dict) else map(str, range(len(node))) if isinstance(node, list) else ()
        raise KeyError(f"-o {text}: no key {key!r} in the config{suggestion(key, map(str, known))}")
    return node[key]


def _fields() -> dict[str, dataclasses.Field[Any]]:
    return {item.name: item for item in dataclasses.fields(Config)}


def _check(tree: Tree, path: Path) -> Config:
    hints = typing.get_type_hints(Config)
    for key, value in tree.items():
        if key not in hints:
            raise KeyError(f"{path}: no section or setting called {key!r}{suggestion(str(key), hints)}")
        expected = _expectation(key, hints[key], value)
        if expected:
            raise TypeError(f"{path}: {key} should be {expected}, got {value!r}")
    if "MODEL" not in tree:
        raise KeyError(f"{path}: section MODEL is missing")
    for section in ("DATASET", "PIPELINE"):
        _check_keys(f"{path}: {section}", tree.get(section), PHASES)
    for phase, pipeline in tree.get("PIPELINE", {}).items():
        _check_keys(f"{path}: PIPELINE.{phase}", pipeline, STEPS)
    from_one = (
        "epochs",
        "batch_size",
        "accumulation",
        "val_interval",
        "log_interval",
        "max_iters",
        "save_interval",
        "keep",
    )
    for key, bound in {**dict.fromkeys(from_one, 1), "seed": 0, "num_workers": 0, "save_minutes": 0}.items():
        if (value := tree.get(key)) is not None and not value >= bound:  # a NaN is neither
            raise ValueError(f"{path}: {key} should be at least {bound}, got {value}")
    if (share := tree.get("ema")) is not None and not 0 < share < 1:
        raise ValueError(f"{path}: ema should be above 0 and below 1, such as 0.999, got {share}")
    check_leaves(tree, path)
    return Config(**{**tree, "classes": _read_classes(tree.get("classes"), path)})


def check_leaves(tree: Any, path: Path) -> None:
    """Refuse numbers that no part of a config or manifest can be: those that are not finite.

    Raises:
        ValueError: names file and key.
    """
    for key, value in _leaves(tree):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{path}: {key} should be a number or null, got {value} (not finite)")


def _check_keys(where: str, node: Any, known: Sequence[str]) -> None:
    for key in node if isinstance(node, Mapping) else ():
        if key not in known:
            raise KeyError(f"{where} has no {key!r}{suggestion(key, known)}")


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All values that are no containers, with their dotted keys."""
    if isinstance(value, (Mapping, list)):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _expectation(key: str, hint: Any, value: Any) -> str | None:
    """What a value should have been, or None when it is fine."""
    if key == "classes":
        fits = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        return None if fits else "a list of names or the path of a file with one name a line"
    if hint == Node:
        return None if isinstance(value, Mapping) else "a mapping"
    if hint == Sequence[Node]:
        fits = isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
        return None if fits else "a list of mappings"
    if hint == Sequence[str]:
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return None if fits else "a list of words"
    if typing.get_origin(hint) is Literal:
        return None if value in typing.get_args(hint) else f"one of {', '.join(typing.get_args(hint))}"
    allowed = tuple(part for part in (typing.get_args(hint) or (hint,)))
    fits = isinstance(value, (*allowed, int) if float in allowed else allowed) and isinstance(value, bool) == (
        hint is bool
    )
    return None if fits else " or ".join("null" if part is type(None) else part.__name__ for part in allowed)


def _read_classes(classes: str | Sequence[str] | None, path: Path) -> tuple[str, ...]:
    if isinstance(classes, str):
        file = Path(classes)
        if not file.is_file():
            raise FileNotFoundError(
                f"{path}: classes: no file {file}; it holds one class name a line and is written together with the "
                "index of a dataset (see data/ucf24/README.md)"
            )
        try:
            classes = [line.strip() for line in read_text(file).splitlines() if line.strip()]
        except ValueError as error:
            raise ValueError(f"{path}: classes: {file} should be a text file in UTF-8 ({error}); mend it") from error
    names = tuple(classes or ())
    for name in names:
        check_text(name, f"{path}: classes", "rename it")
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: classes: a name stands there twice: {', '.join(names)}")
    return names


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
