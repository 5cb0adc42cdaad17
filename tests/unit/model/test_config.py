"""The configuration's checks: every wrong value gets a sentence, and the nearest right one."""

from __future__ import annotations

import pytest

from ppobserve.errors import ConfigError
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.config import Config, check_listen, config_from
from ppobserve.model.plan import Level, Rung


def test_an_empty_file_is_the_defaults() -> None:
    assert config_from(None, "f") == config_from({}, "f") == Config()
    assert Config().address == ("127.0.0.1", 10817)


def test_every_key_is_taken() -> None:
    document = {"listen": "[::1]:9", "level": "lean", "rung": "kprobe", "cardinality": "node", "max_series": 5000}
    expected = Config("[::1]:9", Level.LEAN, Rung.KPROBE, Cardinality.NODE, 5000, 0.005)
    assert config_from({**document, "budget": "0.5%"}, "f") == expected
    assert config_from({"rung": None}, "f").rung is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("listne", "'listen'"),
        ("Level", "'level'"),
        ("cardinalty", "'cardinality'"),
        ("rungs", "'rung'"),
        ("zzz", "one of budget, cardinality, level, listen, max_series, rung"),
        (7, "one of budget, cardinality, level, listen, max_series, rung"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(key: object, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from({key: "x"}, "f.yaml")
    assert caught.value.what == f"f.yaml: unknown key {key!r}"
    assert caught.value.fix == nearest


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1], "expected keys and values, found list"),
        ("listen", "expected keys and values, found str"),
        ({"level": "standart"}, "level: 'standart' is not one of lean, standard, full\n  try: standard"),
        ({"level": 3}, "level: 3 is not one of"),
        ({"level": None}, "level: None is not one of"),
        ({"level": ["lean"]}, "is not one of"),
        ({"rung": "uprobe"}, "rung: 'uprobe' is not one of fentry, kprobe, tracepoint\n  try: kprobe"),
        ({"cardinality": True}, "cardinality: True is not one of pool, netdev, node"),
        ({"listen": 10817}, "listen: 10817 is not ADDRESS:PORT"),
        ({"max_series": 10_000_000}, "max_series: 10000000 is not a number from 1000 to 100000"),
        ({"max_series": "10000"}, "max_series: '10000' is not a number from"),
        ({"max_series": True}, "max_series: True is not a number from"),
        ({"max_series": 999}, "max_series: 999 is not a number from"),
        ({"listen": ["::1", 9]}, "is not ADDRESS:PORT"),
    ],
)
def test_a_wrong_value_is_a_sentence(document: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from(document, "f.yaml")
    assert str(caught.value).startswith("f.yaml: ")
    assert words in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:10817", ("127.0.0.1", 10817)),
        (":10817", ("", 10817)),
        ("[::1]:0", ("::1", 0)),
        ("[::]:65535", ("::", 65535)),
        ("localhost:9", ("localhost", 9)),
    ],
)
def test_addresses(listen: str, address: tuple[str, int]) -> None:
    assert Config(check_listen(listen, "x")).address == address


@pytest.mark.parametrize(
    "listen", ["", "10817", "::1:10817", "[::1]", "[::1:9", "::1]:9", "h:65536", "h:-1", "h:http", "h:", "h:9 "]
)
def test_what_is_not_an_address(listen: str) -> None:
    with pytest.raises(ConfigError, match="is not ADDRESS:PORT"):
        check_listen(listen, "--listen")


@pytest.mark.parametrize(
    ("text", "part"), [("0.5%", 0.005), ("1%", 0.01), ("100%", 1.0), ("0.05 %", 0.0005), ("12.5%", 0.125)]
)
def test_budgets(text: str, part: float) -> None:
    assert config_from({"budget": text}, "f").budget == pytest.approx(part)


@pytest.mark.parametrize("budget", [0.5, 1, True, "", "%", "0%", "0.0%", "101%", "-1%", "1e1%", "0.5", "half", "nan%"])
def test_what_is_no_budget(budget: object) -> None:
    with pytest.raises(ConfigError, match=r"budget: .* is not a percentage of one CPU") as caught:
        config_from({"budget": budget}, "f")
    assert caught.value.fix == "0.5%"


def test_no_budget_is_none() -> None:
    assert config_from({"budget": None}, "f").budget is None
