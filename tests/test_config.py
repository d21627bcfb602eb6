from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.config import load_config, save_config

BASE = """
MODEL: {name: Net, head: {classes: 3, sizes: [1, 2]}, neck: {name: Neck}}
classes: [run, jump]
METRIC: [{name: One}]
epochs: 4
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def child(base: Path, text: str) -> Path:
    path = base.with_name("child.yaml")
    path.write_text(f"_base_: base.yaml\n{text}")
    return path


def test_child_merges_mappings_replaces_lists_and_leaves_out_with_null(base: Path) -> None:
    config = load_config(child(base, "MODEL: {head: {sizes: [5]}, neck: null}\nepochs: 9"))
    assert config.MODEL == {"name": "Net", "head": {"classes": 3, "sizes": [5]}, "neck": None}
    assert (config.epochs, config.classes) == (9, ("run", "jump"))


def test_a_part_of_another_name_takes_nothing_from_its_parent(base: Path) -> None:
    assert load_config(child(base, "MODEL: {name: Other, depth: 3}")).MODEL == {"name": "Other", "depth": 3}


def test_overrides_are_yaml_and_reach_into_lists(base: Path) -> None:
    config = load_config(base, ["MODEL.head.classes=7", "METRIC.0.name=Two", "batch_size=6", "MODEL.neck=null"])
    assert config.MODEL["head"]["classes"] == 7
    assert config.METRIC == [{"name": "Two"}]
    assert (config.batch_size, config.MODEL["neck"]) == (6, None)


def test_resolved_config_reads_back_equal(base: Path, tmp_path: Path) -> None:
    config = load_config(child(base, "seed: 5"))
    save_config(config, tmp_path / "resolved.yaml")
    assert load_config(tmp_path / "resolved.yaml").to_dict() == config.to_dict()


def test_classes_come_from_a_file(base: Path, tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("walk\n\nrun\n")
    assert load_config(base, [f"classes={names}"]).classes == ("walk", "run")


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("MODLE: {}", KeyError, "no section or setting called 'MODLE'; did you mean 'MODEL'"),
        ("MODEL: {name: A}\nepochs: 1e-4", TypeError, "epochs should be int, got '1e-4'"),
        ("MODEL: {name: A}\nepochs: true", TypeError, "epochs should be int"),
        ("MODEL: {name: A}\nepochs: 0", ValueError, "epochs should be at least 1"),
        ("MODEL: {name: A}\nsave_minutes: .nan", ValueError, "save_minutes should be at least 0"),
        ("MODEL: {name: A}\naccumulation_reduction: max", TypeError, "one of sum, mean"),
        ("MODEL: [1]", TypeError, "MODEL should be a mapping"),
        ("MODEL: {name: A}\nMETRIC: {name: B}", TypeError, "METRIC should be a list of mappings"),
        ("epochs: 3", KeyError, "section MODEL is missing"),
        ("MODEL: {name: A}\nMODEL: {name: B}", ValueError, "'MODEL' stands here twice"),
        ("MODEL: {name: A, name: B}", ValueError, "line 1"),
        ("MODEL: [", ValueError, "not a yaml file"),
        ("just words", ValueError, "expected sections"),
        ("MODEL: !!python/object/apply:os.system ['true']", ValueError, "not a yaml file"),
        ("MODEL: {name: A}\nclasses: nowhere.txt", FileNotFoundError, "no file nowhere.txt"),
        ("MODEL: {name: A}\nclasses: [a, a]", ValueError, "twice"),
        ("_base_: gone.yaml", FileNotFoundError, "gone.yaml"),
        ("MODEL: {}\nDATASET: {tset: {}}", KeyError, "DATASET has no 'tset'; did you mean 'test'"),
        ("MODEL: {}\nPIPELINE: {tests: {}}", KeyError, "PIPELINE has no 'tests'; did you mean 'test'"),
        (
            "MODEL: {}\nPIPELINE: {train: {transforms: []}}",
            KeyError,
            "train has no 'transforms'; did you mean 'transform'",
        ),
        (
            "MODEL: {loss: [{scale: [.nan]}]}",
            ValueError,
            r"MODEL\.loss\.0\.scale\.0 should be a number or null, got nan",
        ),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(error, match=said) as caught:
        load_config(path)
    assert "wrong.yaml" in str(caught.value) or "gone.yaml" in str(caught.value)


def test_only_one_level_of_parents(base: Path) -> None:
    path = child(base, "seed: 1")
    grandchild = path.with_name("grandchild.yaml")
    grandchild.write_text("_base_: child.yaml")
    with pytest.raises(ValueError, match="only one level"):
        load_config(grandchild)


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("MODEL.heads.classes=7", KeyError, "no key 'heads' in the config; did you mean 'head'"),
        ("MODEL.head.klasses=7", KeyError, "no key 'klasses'"),
        ("sead=7", KeyError, "no key 'sead'"),
        ("METRIC.3.name=x", KeyError, "no key '3'"),
        ("epochs", ValueError, "expected KEY=VALUE"),
        ("epochs=[", ValueError, "not yaml"),
        ("epochs=two", TypeError, "epochs should be int"),
    ],
)
def test_wrong_overrides_are_named(base: Path, override: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load_config(base, [override])


BOMB = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9) if n else 'x'}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, r"more than 100000 values up to here .*line 6"),
        ("classes: &a [*a]", r"an alias inside of what it stands for .*line 1"),
        ("seed: !!timestamp x", r"got a timestamp; put text in quotes .*line 1"),
        ("seed: 2001-99-99", r"got a timestamp; put text in quotes .*line 1"),
        ("? !!set {a}\n: 1", "got a set"),
        ("? [a]\n: 1", "key is not a word"),
    ],
)
def test_yaml_that_could_fill_the_memory_or_fails_while_it_is_built(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.yaml:\d+:\d+: not a yaml file: (?s:.*){said}"):
        load_config(tmp_path / "a.yaml")


def test_an_alias_is_what_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("MODEL: {name: Net, one: &a [1, 2], other: *a}")
    assert load_config(tmp_path / "a.yaml").MODEL["other"] == [1, 2]


def test_files_that_a_config_names(base: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"run\xff")
    with pytest.raises(ValueError, match=r"base\.yaml: classes: .*names\.txt should be a text file in UTF-8"):
        load_config(base, [f"classes={tmp_path / 'names.txt'}"])
    (tmp_path / "child.yaml").write_text("_base_: gone.yaml")
    with pytest.raises(FileNotFoundError, match=r"child\.yaml: _base_ names no file: .*gone\.yaml"):
        load_config(tmp_path / "child.yaml")


def test_a_digit_that_is_no_number_is_no_place_in_a_list(base: Path) -> None:
    with pytest.raises(KeyError, match=r"-o METRIC\.²\.name=x: no key '²'"):
        load_config(base, ["METRIC.².name=x"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 1" + ":1" * 100_000, r"odd\.yaml:2:9: not a yaml file: 1:1:1.* would be a number to base 60"),
        ("save_minutes: 1:30.5", r"odd\.yaml:2:15: .* 1:30\.5 would be a number to base 60"),
        ("epochs: 0x" + "f" * 5000, r"odd\.yaml:2:9: .* at most 100 digits, got 5002"),
        ("seed: " + "9" * 100_000, r"odd\.yaml:2:7: .* at most 100 digits, got 100000"),
        ("? 0x" + "f" * 5000 + "\n: 1", r"odd\.yaml:2:3: .* at most 100 digits"),
        ("seed: 36893488147419103232", r"odd\.yaml:2:7: .* at most 64 bits, got 36893488147419103232"),
        ("ema: 2001-01-01", r"odd\.yaml:2:6: .* got a timestamp; put text in quotes"),
        ("output_dir: !!binary aGVsbG8=", r"odd\.yaml:2:13: .* got a binary"),
        ("OPTIMIZER: {a: !!set {x, y}}", r"odd\.yaml:2:16: .* got a set"),
        ("OPTIMIZER: {a: !!omap [x: 1]}", r"odd\.yaml:2:16: .* got a omap"),
        ("OPTIMIZER: {<<: {a: 1}}", r"odd\.yaml:2:13: .* merge keys << are not known here"),
        ("OPTIMIZER: {rate: .inf}", r"OPTIMIZER\.rate should be a number or null, got inf"),
        ("OPTIMIZER: {rate: 1.0e+999}", r"OPTIMIZER\.rate should be a number or null, got inf"),
        ('classes: ["\\ud800"]', r"odd\.yaml:2:11: .* expected text that can be written as UTF-8, got '.ud800'"),
        ('output_dir: "a\\0b"', r"odd\.yaml:2:13: .* expected text without NUL characters, got 'a.x00b'"),
    ],
    ids=lambda value: value[:20],
)
def test_values_that_no_config_has_are_refused_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(f"MODEL: {{name: A}}\n{text}\n")
    with pytest.raises(ValueError, match=said) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_text_that_looks_like_a_time_is_text_in_quotes(base: Path) -> None:
    assert load_config(base, ["output_dir='1:30'"]).output_dir == "1:30"
    with pytest.raises(ValueError, match=r"-o output_dir=1:30: .*base 60"):
        load_config(base, ["output_dir=1:30"])


def test_a_yaml_file_full_of_holes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "holes.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"holes\.yaml: has 1099511627776 bytes; expected at most"):
        load_config(tmp_path / "holes.yaml")
