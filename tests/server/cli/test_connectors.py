"""``muster connectors`` on a server's database, run as processes, against a system over HTTP."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from server.store import migrate
from tests.server.connectors.faulty import Call, Reply, peer

MUSTER = Path(sys.executable).parent / "muster"
FILE = """
source: shop
kind: http_json
base_url: {url}
limits: {{requests_per_minute: 60000}}
streams:
  - fact: customer
    call: {{path: /customers}}
    key: id
    map: {{customer_key: id}}
  - fact: deal
    call: {{path: /deals}}
    key: id
    map: {{stage: {{path: stage, values: {{won: won}}}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    migrate.upgrade(f"sqlite:///{tmp_path / 'muster.db'}")
    (tmp_path / "server.toml").write_text("")
    return tmp_path / "server.toml"


def muster(*words: object, code: int = 0) -> str:
    done = subprocess.run([MUSTER, "connectors", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code != 2 else done.stderr


def answer(call: Call) -> Reply:
    if call.path == "/customers":
        return Reply([{"id": 1}, {"id": 2}, {"name": "no key"}])
    return Reply([{"id": "d1", "stage": "won"}])


def test_a_source_is_added_run_and_told_about(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    with peer(answer) as system:
        file.write_text(FILE.format(url=system.url))
        [added] = json.loads(muster("add", file, "-c", config, "--json"))
        assert added == {"source": "shop", "map_version": 1, "state": "new"}
        runs: list[dict[str, Any]] = json.loads(muster("run", "shop", "-c", config, "--json"))
        assert [(run["stream"], run["state"], run["added"], run["waiting"]) for run in runs] == [
            ("customer", "ok", 2, 1),
            ("deal", "ok", 1, 0),
        ]
        [again] = json.loads(muster("run", "shop", "--stream", "deal", "-c", config, "--json"))
        assert (again["added"], again["unchanged"]) == (0, 1)
        asked = len(system.calls)
        replayed = json.loads(muster("replay", "shop", "-c", config, "--json"))
        assert [(one["stream"], one["unchanged"]) for one in replayed] == [("customer", 2), ("deal", 2)]
        assert len(system.calls) == asked
    states = {one["stream"]: one for one in json.loads(muster("status", "-c", config, "--json"))}
    assert states["customer"]["state"] == "ok"
    assert states["customer"]["rows"] == 3, "the one without a key came too"
    assert states["customer"]["stale"] is False


def test_mistakes_say_what_to_do(config: Path, tmp_path: Path) -> None:
    assert "no such source nope; `muster connectors status` lists" in muster("run", "nope", "-c", config, code=2)
    file = tmp_path / "shop.yaml"
    file.write_text(FILE.format(url="http://127.0.0.1:9").replace("fact: deal", "fact: deel"))
    assert "fact 'deel' is unknown" in muster("add", file, "-c", config, code=2)
    assert json.loads(muster("status", "-c", config, "--json")) == []
    file.write_text(FILE.format(url="http://127.0.0.1:9"))
    muster("add", file, "-c", config)
    assert "shop has no stream 'deals'; it has customer, deal" in muster(
        "run", "shop", "--stream", "deals", "-c", config, code=2
    )


class Killable:
    """Ten thousand customers in pages of 200; the process that asks is killed while it is busy with one."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.running: subprocess.Popen[bytes] | None = None
        self.pages_left = 0

    def __call__(self, call: Call) -> Reply:
        self.pages_left -= 1
        if self.pages_left == 0 and self.running is not None:
            threading.Timer(self.random.uniform(0, 0.01), self.running.kill).start()
        after = int(call.query.get("after", 0))
        return Reply([{"id": number} for number in range(after + 1, min(after + PAGE, ROWS) + 1)])


ROWS, PAGE = 10_000, 200
PULL = """
source: shop
kind: http_json
base_url: {url}
limits: {{requests_per_minute: 60000}}
streams:
  - fact: customer
    call: {{path: /customers}}
    page: {{type: keyset, field: id, size: 200, param: after}}
    key: id
    map: {{customer_key: id}}
"""


def kill_and_compare(config: Path, tmp_path: Path, kills: int, random: Random) -> None:
    """Kill the run that often, then let it finish: stored is what the system has, each once."""
    file = tmp_path / "shop.yaml"
    system = Killable(random)
    with peer(system) as running:
        file.write_text(PULL.format(url=running.url))
        muster("add", file, "-c", config)
        words: list[str | Path] = [MUSTER, "connectors", "run", "shop", "-c", config]
        for _ in range(kills):
            system.pages_left = random.randint(1, ROWS // PAGE // kills)
            system.running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert system.running.wait(30) == -signal.SIGKILL
            with sqlite3.connect(tmp_path / "muster.db") as database:
                stored = {int(key) for (key,) in database.execute("select source_key from fact_customer")}
                [(cursor,)] = database.execute("select cursor from source_streams")
                database.execute("update data_sources set lease = null")  # else the next has to wait for its end
            reached = json.loads(cursor or "{}").get("after", 0)
            assert stored == set(range(1, reached + 1)), "the cursor is where the data is"
        system.running = None
        [run] = json.loads(muster("run", "shop", "-c", config, "--json"))
    assert run["state"] == "ok"
    with sqlite3.connect(tmp_path / "muster.db") as database:
        keys = [int(key) for (key,) in database.execute("select source_key from fact_customer")]
    assert sorted(keys) == list(range(1, ROWS + 1))


def test_a_run_that_is_killed_goes_on_and_loses_or_doubles_nothing(config: Path, tmp_path: Path) -> None:
    kill_and_compare(config, tmp_path, 3, Random(7))


@pytest.mark.long
def test_twenty_kills_lose_and_double_nothing(config: Path, tmp_path: Path) -> None:
    kill_and_compare(config, tmp_path, 20, Random(8))


def test_rows_that_wait_are_listed_tried_fixed_refused_and_exported(config: Path, tmp_path: Path) -> None:
    def told(call: Call) -> Reply:
        if call.path == "/customers":
            return Reply([{"name": "=x"}, {"name": "y"}])
        return Reply([{"id": f"d{n}", "stage": "won"} for n in range(20)] + [{"id": "bad", "stage": "maybe"}])

    file = tmp_path / "shop.yaml"
    with peer(told) as system:
        file.write_text(FILE.format(url=system.url))
        muster("add", file, "-c", config)
        muster("run", "shop", "-c", config)
    rows = json.loads(muster("quarantine", "list", "-c", config, "--json"))
    assert {(row["key"], row["codes"]) for row in rows} == {
        (None, "missing_key, missing_field"),
        ("bad", "unknown_value"),
    }
    [deal] = [row["id"] for row in rows if row["key"] == "bad"]
    first, second = (row["id"] for row in rows if row["key"] is None)
    tried = json.loads(muster("quarantine", "show", deal, "--set", "stage=lost", "-c", config))
    assert (tried["raw"]["stage"], tried["mapped"]["stage"]) == ("maybe", "lost")
    assert "only future_date and out_of_range" in muster(
        "quarantine", "accept", first, "--note", "x", "-c", config, code=2
    )
    muster("quarantine", "export", tmp_path / "rows.csv", "--language", "en", "-c", config)
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 4
    assert "1 added" in muster("quarantine", "fix", deal, "--set", "stage=lost", "-c", config)
    assert "2 rows decided" in muster("quarantine", "reject", first, second, "--note", "no customers", "-c", config)
    assert json.loads(muster("quarantine", "list", "-c", config, "--json")) == []
    assert json.loads(muster("people", "-c", config, "--json")) == []
    assert "--link ID=EMPLOYEE" in muster("people", "--link", "a", "-c", config, code=2)
