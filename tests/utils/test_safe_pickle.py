from __future__ import annotations

import os
import pickle
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddlevideo.utils.safe_pickle import load_pickle


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_and_containers_come_back(tmp_path, protocol):
    value = OrderedDict(
        boxes=np.array([[250, 1, 9, 8]], np.uint8),
        strided=np.arange(6.0).reshape(2, 3).T,
        frames=np.uint16(300),
        name=np.str_("Diving/v_1"),
        plain=[1, 2.5, "x", None, (True, b"y")],
    )
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    back = load_pickle(path)
    assert list(back) == list(value)
    for key in ("boxes", "strided"):
        np.testing.assert_array_equal(back[key], value[key])
        assert back[key].dtype == value[key].dtype
    assert {key: back[key] for key in ("frames", "name", "plain")} == {
        key: value[key] for key in ("frames", "name", "plain")
    }


@pytest.mark.parametrize("spelling", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_both_numpy_spellings_are_read(tmp_path, spelling):
    data = pickle.dumps(np.arange(3), protocol=3)  # protocol 3 writes module names as lines
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        data = data.replace(b"c" + name + b"\n", b"c" + spelling + b"\n")
    assert spelling in data
    (tmp_path / "a.pkl").write_bytes(data)
    assert load_pickle(tmp_path / "a.pkl").tolist() == [0, 1, 2]


class Forged:
    """Pickles as a dtype with a state of its own."""

    def __init__(self, name: str, state: tuple) -> None:
        self.name, self.state = name, state

    def __reduce__(self):
        return np.dtype, (self.name, False, True), self.state


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("V8", (3, "|", None, ("f",), {"f": (np.dtype("O"), 0)}, 8, 1, 0)),  # bytes would be taken for objects
        ("O8", (3, "|", None, None, None, -1, -1, 0)),
        ("i8", (3, "<", None, None, None, -1, -1, 63)),
        ("U2", (3, "<", None, None, None, 800, 4, 8)),
    ],
)
def test_a_forged_dtype_is_refused(tmp_path, name, state):
    path = tmp_path / "forged.pkl"
    path.write_bytes(pickle.dumps(Forged(name, state)))
    with pytest.raises(ValueError, match=r"forged\.pkl: refused.*only numbers and text"):
        load_pickle(path)


def test_arrays_of_objects_are_refused(tmp_path):
    path = tmp_path / "objects.pkl"
    path.write_bytes(pickle.dumps(np.array([1, "a"], object)))
    with pytest.raises(ValueError, match="only numbers and text"):
        load_pickle(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_comes_back(tmp_path, order):
    path = tmp_path / "order.pkl"
    path.write_bytes(pickle.dumps(np.array([1.5, -2], np.dtype("f4").newbyteorder(order))))
    assert load_pickle(path).tolist() == [1.5, -2]


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (Call(np.ndarray, (1 << 33,)), "not callable"),  # would take 64 GB
        (Call(np.ndarray, (1,), np.dtype("f8"), b"12345678"), "not callable"),
        (np.dtype("O"), "only numbers and text"),
        (np.dtype("S70000"), "only numbers and text"),
        (Call(np.float64(1).__reduce__()[0], np.dtype("S60000")), "missing"),
        (Call(np.float64(1).__reduce__()[0], np.dtype("f8"), b"1"), "as many bytes"),
        ({(): 1}, "a key should be a text or a number, got tuple"),  # nested ones may take for ever to hash
        ({1, 2}, "it holds a set"),
        (frozenset({1}), "it holds a set"),
        (Call(tuple, np.arange(9)), "a tuple should be made of a list, got ndarray"),
    ],
)
def test_what_could_crash_or_take_for_ever_is_refused(tmp_path, value, problem):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(value, protocol=4))
    with pytest.raises(ValueError, match=rf"evil\.pkl: refused.*{problem}"):
        load_pickle(path)


def test_arrays_that_share_their_bytes_may_not_fill_the_memory(tmp_path):
    array = np.zeros(100_000, ">i8")  # a byte order that is copied
    make, arguments, state = array.__reduce__()
    shared = list(state)

    class Again:
        def __reduce__(self):
            return make, arguments, tuple(shared)

    (tmp_path / "many.pkl").write_bytes(pickle.dumps([Again() for _ in range(50)], protocol=4))
    with pytest.raises(ValueError, match="more memory than the file has bytes"):
        load_pickle(tmp_path / "many.pkl")


NAME = b"ccollections\nOrderedDict\n"
STATE = b"}X\x05\x00\x00\x00itemsK\x01s"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (NAME + STATE + b"b", r"change the state of collections\.OrderedDict"),
        (b"c_codecs\nencode\n" + STATE + b"b", r"change the state of _codecs\.encode"),
        (b"cnumpy\nndarray\nK\x01K\x02s", r"put pairs into numpy\.ndarray"),
        (b"cnumpy\nndarray\nK\x01a", r"put values into numpy\.ndarray"),
        (pickle.dumps(np.arange(3), 2)[2:-1] + STATE + b"b", "change the state of a value of type ndarray"),
        (b"\x82\x01", "a step that pickles of arrays do not have"),  # a number that the process knows a name for
    ],
)
def test_what_files_share_is_not_changed(tmp_path, steps, problem):
    path, good = tmp_path / "evil.pkl", tmp_path / "good.pkl"
    path.write_bytes(b"\x80\x02" + steps + b".")
    with pytest.raises(ValueError, match=rf"evil\.pkl: refused.*{problem}"):
        load_pickle(path)
    good.write_bytes(pickle.dumps({"a": OrderedDict(b=np.arange(3)), "c": b"de"}, 2))
    assert load_pickle(good)["a"]["b"].tolist() == [0, 1, 2]


def test_every_load_gets_names_of_its_own(tmp_path):
    path = tmp_path / "name.pkl"
    path.write_bytes(b"\x80\x02" + NAME + b".")
    first, second = load_pickle(path), load_pickle(path)
    assert first is not second
    assert not callable(first)


def repeated(call: bytes, arguments: bytes, times: int) -> bytes:
    """A pickle that makes the same call many times."""
    begin = b"\x80\x02" + call + b"q\x000" + arguments + b"q\x010]("
    return begin + b"h\x00h\x01R" * times + b"e."


LATIN = b"X\x06\x00\x00\x00latin1\x86"
PAIRS = b"".join(b"J" + k.to_bytes(4, "little") + b"N\x86" for k in range(3000))
TEXT = b"cnumpy\ndtype\n(X\x06\x00\x00\x00S50000\x89\x88tRT" + (50_000).to_bytes(4, "little") + b"a" * 50_000 + b"\x86"
BOMBS = {
    "bytes": repeated(b"c_codecs\nencode\n", b"X" + (50_000).to_bytes(4, "little") + b"a" * 50_000 + LATIN, 20_000),
    "tuples": repeated(b"cbuiltins\ntuple\n", b"](" + b"N" * 30_000 + b"e\x85", 20_000),
    "dicts": repeated(NAME, b"](" + PAIRS + b"e\x85", 9000),
    "scalars": repeated(b"cnumpy.core.multiarray\nscalar\n", TEXT, 20_000),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_memory_is_bounded_by_what_is_read(tmp_path, kind):
    (tmp_path / "bomb.pkl").write_bytes(BOMBS[kind])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"bomb\.pkl: refused.*would take more"):
            load_pickle(tmp_path / "bomb.pkl")
        assert tracemalloc.get_traced_memory()[1] < (16 << 20) + 200 * len(BOMBS[kind])
    finally:
        tracemalloc.stop()


def twice_as_much(times: int) -> list:
    """Lists of two, the same list twice: 2 ** times numbers in all."""
    made = [1]
    for _ in range(times):
        made = [made, made]
    return made


def itself() -> list:
    made: list = []
    made.append(made)
    return made


def nested(times: int) -> list:
    made: list = []
    for _ in range(times):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (twice_as_much(60), "more than 16.... values, as parts of it are shared"),
        (itself(), "a container that contains itself"),
        (nested(200), "more than 100 containers in each other"),
        (10**5000, "an integer has 16610 bits"),
        ({10**5000: 1}, "an integer has 16610 bits"),
        ({k * (2**61 - 1): 1 for k in range(1, 100)}, "a key should be an integer of 64 bits"),  # all of one hash
    ],
    ids=("shared", "itself", "nested", "integer", "key", "hashes"),
)
def test_content_that_is_larger_than_it_looks_is_refused(tmp_path, value, problem):
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps(value, protocol=2))
    with pytest.raises(ValueError, match=rf"odd\.pkl: refused.*{problem}"):
        load_pickle(tmp_path / "odd.pkl")


def test_the_steps_of_a_large_file_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("paddlevideo.utils.safe_pickle.MOST_OBJECTS", 1 << 20)
    (tmp_path / "many.pkl").write_bytes(b"\x80\x02](" + b"]" * 200_000 + b"e.")
    with pytest.raises(ValueError, match=r"many\.pkl: refused.*objects would take more than 17 MB of memory"):
        load_pickle(tmp_path / "many.pkl")


def test_many_small_objects_are_read(tmp_path):
    value = {"empty": [[] for _ in range(20_000)], "one": dict.fromkeys(range(9000)), "shared": [[1, 2]] * 9000}
    for protocol in (2, 4):
        (tmp_path / "small.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
        assert load_pickle(tmp_path / "small.pkl") == value


def test_a_file_full_of_holes_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "holes.pkl").open("wb") as file:
        file.write(b"\x80\x04")
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"holes\.pkl: has 1099511627776 bytes; expected at most"):
        load_pickle(tmp_path / "holes.pkl")


def test_code_is_not_run(tmp_path):
    path, marker = tmp_path / "evil.pdparams", tmp_path / "was-run"
    path.write_bytes(pickle.dumps({"weight": Payload(marker)}))
    with pytest.raises(ValueError, match=r"evil\.pdparams: refused.*(posix|nt)\.mkdir"):
        load_pickle(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["ndarray.tofile", "load", "fromfile"])
def test_other_numpy_functions_are_refused(tmp_path, name):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04" + b"\x8c\x05numpy" + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93.")
    with pytest.raises(ValueError, match=rf"wants to build numpy\.{name}"):
        load_pickle(path)


@pytest.mark.parametrize("data", [b"", b"not a pickle at all", b"\x00" * 64, pickle.dumps(np.arange(99))[:-40]])
def test_damaged_file_is_named(tmp_path, data):
    path = tmp_path / "damaged.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"damaged\.pkl: refused"):
        load_pickle(path)


def test_missing_file_is_no_value_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl"):
        load_pickle(tmp_path / "none.pkl")


def test_weights_and_optimizer_state_of_paddle(tmp_path):
    layer = paddle.nn.Linear(3, 2)
    paddle.save(layer.state_dict(), str(tmp_path / "w.pdparams"))
    paddle.save({"nested": layer.state_dict(), "schedule": {"last_epoch": 3}}, str(tmp_path / "w.pdopt"))
    weights, training = load_pickle(tmp_path / "w.pdparams"), load_pickle(tmp_path / "w.pdopt")
    np.testing.assert_array_equal(weights["weight"], layer.weight.numpy())
    name, array = training["nested"]["weight"]  # inside another dict Paddle writes (name, array)
    assert name == layer.weight.name
    np.testing.assert_array_equal(array, layer.weight.numpy())
    assert training["schedule"] == {"last_epoch": 3}
