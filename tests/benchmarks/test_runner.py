"""The bench runner: what a figure means, and that one bad bench takes nothing from the others."""

import json

import pytest

from benchmarks.__main__ import FOLDER, Bench, load, main
from benchmarks.figure import Figure, figure

FAST = figure("decode", 300.0, "rows/s", better="higher", limit_name="peer", limit=10.0, ratio_target=20)
SLOW = figure("store", 30.0, "rows/s", better="higher", target=50)


def _crash() -> list[Figure]:
    raise RuntimeError("no disk")


BENCHES = [Bench("bad", _crash), Bench("decode", lambda: [FAST]), Bench("store", lambda: [SLOW])]


@pytest.mark.parametrize(
    ("measured", "ratio", "target", "met"),
    [
        (FAST, 30.0, ">= 20 x peer", True),
        (SLOW, None, ">= 50 rows/s", False),
        (figure("rss", 40, "MiB", better="lower", target=40), None, "<= 40 MiB", True),
        (figure("rss", 41, "MiB", better="lower", target=40), None, "<= 40 MiB", False),
        (
            figure(
                "accept",
                50_000,
                "ev/s",
                better="higher",
                target=40_000,
                limit_name="sqlite3",
                limit=500_000,
                ratio_target=0.4,
            ),
            0.1,
            ">= 40,000 ev/s and >= 0.4 x sqlite3",
            False,
        ),
        (figure("help", 0.1, "s", better="lower", target=0.3, limit_name="pass", limit=0.01), 10.0, "<= 0.3 s", True),
    ],
)
def test_a_figure_is_judged_by_all_its_targets(measured: Figure, ratio: float | None, target: str, met: bool) -> None:
    assert (measured.ratio, measured.target, measured.met) == (ratio, target, met)


def test_json_has_one_object_a_line_with_the_agreed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--only", "decode"], BENCHES) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert list(json.loads(line)) == ["name", "value", "unit", "limit_name", "limit", "ratio", "target", "met"]


def test_a_crash_is_printed_and_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"], BENCHES) == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["name"] for line in printed.out.splitlines()] == ["decode", "store"]
    assert "no disk" in printed.err


def test_a_missed_target_is_shown_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "store"], BENCHES) == 0
    assert "NO" in capsys.readouterr().out


def test_an_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nope"], BENCHES) == 2
    assert "bad, decode, store" in capsys.readouterr().err


def test_every_bench_here_has_a_name_of_its_own() -> None:
    names = [bench.name for bench in load(FOLDER)]
    assert len(names) == len(set(names)) > 0
