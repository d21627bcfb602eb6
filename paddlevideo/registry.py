"""Names in a config become objects here: one registry for each kind of part."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind, by class name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}

    def register(self, cls: type[T]) -> type[T]:
        """Class decorator; the key is the class name.

        Raises:
            KeyError: another class has that name already; says where both come from.
        """
        if (other := self._classes.get(cls.__name__)) is not None:
            raise KeyError(
                f"{self.kind} {cls.__name__} is registered twice, by {other.__module__} and now by {cls.__module__}; "
                "give one of them another name"
            )
        self._classes[cls.__name__] = cls
        return cls

    def __iter__(self) -> typing.Iterator[str]:
        return iter(self._classes)

    def get(self, name: str) -> type[T]:
        """The class called `name`.

        Raises:
            KeyError: no such class; the message suggests the nearest name.
        """
        if name not in self._classes:
            raise KeyError(f"no {self.kind} called {name!r}{suggestion(name, self._classes)}")
        return self._classes[name]

    def build(self, node: Mapping[str, Any], **derived: Any) -> T:
        """Make the object that a config node describes.

        A class whose parts are nodes themselves offers a classmethod `from_nodes`, which is then called instead of
        the constructor.

        Args:
            node: `name` and the arguments that the config chooses.
            derived: arguments that the code works out, which a config must not repeat.

        Raises:
            KeyError: unknown class.
            TypeError: missing, unknown or repeated argument, or one of the wrong type.
        """
        return typing.cast(T, construct(*self._call(node), **derived))

    def check(self, node: Mapping[str, Any], **derived: Any) -> None:
        """Raise what `build` would raise of the node itself, and make nothing."""
        _check_arguments(*self._call(node), derived)

    def _call(self, node: Mapping[str, Any]) -> tuple[str, Callable[..., Any], dict[str, Any]]:
        """What a node would call: how messages name it, the function, and the arguments that it chooses."""
        if not isinstance(node, Mapping) or not isinstance(node.get("name"), str):
            raise TypeError(f"{self.kind}: expected a mapping with a name, got {node!r}")
        cls = self.get(node["name"])
        arguments = {key: value for key, value in node.items() if key != "name"}
        return f"{self.kind} {node['name']}", getattr(cls, "from_nodes", cls), arguments


def construct(where: str, factory: Callable[..., Any], arguments: Mapping[str, Any], **derived: Any) -> Any:
    """Call `factory` with arguments from a config, checked against its type hints, and those that the code works out.

    Raises:
        TypeError: missing, unknown or repeated argument, or one of the wrong type; the message begins with `where`.
    """
    _check_arguments(where, factory, arguments, derived)
    return factory(**arguments, **derived)


def suggestion(name: object, known: typing.Iterable[object]) -> str:
    """The tail of an error message about an unknown name: the nearest known one, or all of them."""
    names = sorted(map(str, known))  # yaml has keys that are no words
    near = difflib.get_close_matches(str(name), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names) or 'none'}"


def _check_arguments(
    where: str, factory: Callable[..., Any], arguments: Mapping[str, Any], derived: Mapping[str, Any]
) -> None:
    parameters = inspect.signature(factory).parameters
    for key, value in arguments.items():
        if key in derived:
            raise TypeError(f"{where}: {key} follows from other parts of the model; remove it from the config")
        if key not in parameters:
            raise TypeError(f"{where} has no argument {key!r}{suggestion(key, set(parameters) - set(derived))}")
        hint = typing.get_type_hints(factory if inspect.ismethod(factory) else factory.__init__).get(key, Any)
        if not _fits(value, hint):
            raise TypeError(f"{where}: {key} should be {_spell(hint)}, got {value!r} ({type(value).__name__})")
    for key, parameter in parameters.items():
        required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        if required and key not in arguments and key not in derived:
            raise TypeError(f"{where}: argument {key!r} is missing")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a yaml value can stand for a type hint; hints that yaml cannot express accept anything."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:
        return value in parts
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, type(None)):
        return isinstance(value, hint)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if origin is not None and issubclass(origin, typing.Iterable) and origin is not type:
        inner = parts[0] if parts else Any
        return isinstance(value, (list, tuple)) and all(_fits(item, inner) for item in value)
    return True


def _spell(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint).replace("typing.", "")


BACKBONES: Registry[Any] = Registry("backbone")
NECKS: Registry[Any] = Registry("neck")
HEADS: Registry[Any] = Registry("head")
LOSSES: Registry[Any] = Registry("loss")
MODELS: Registry[Any] = Registry("model")
INPUTS: Registry[Any] = Registry("input transform")
POSTPROCESS: Registry[Any] = Registry("postprocess")
SAMPLERS: Registry[Any] = Registry("sampler")
TRANSFORMS: Registry[Any] = Registry("transform")
DATASETS: Registry[Any] = Registry("dataset")
METRICS: Registry[Any] = Registry("metric")
OPTIMIZERS: Registry[Any] = Registry("optimizer")
SCHEDULES: Registry[Any] = Registry("schedule")
CLIPS: Registry[Any] = Registry("gradient clip")
FORMATS: Registry[Any] = Registry("dataset format")
ANSWERS: Registry[Any] = Registry("kind of answer")
