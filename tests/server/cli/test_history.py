"""``muster history`` on a server's database, run as processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from server.store import migrate

MUSTER = Path(sys.executable).parent / "muster"
MAP = """
source: old_desk
kind: file
timezone: Asia/Shanghai
streams:
  - fact: ticket
    call: {files: "desk/*"}
    key: 工单号
    map:
      created_at: {path: 创建时间, as: datetime}
      status: {path: 状态, values: {已解决: solved}}
"""
TICKETS = "工单号,创建时间,状态\nT1,2024-03-01 08:00:00,已解决\nT2,2024/3/2 9:00,已解决\nT3,2024-03-03 09:00:00,丢失\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    migrate.upgrade(f"sqlite:///{tmp_path / 'muster.db'}")
    (tmp_path / "server.toml").write_text("")
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "tickets.csv").write_text(TICKETS)
    return tmp_path


def muster(folder: Path, *words: object, code: int = 0, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(MUSTER), "history", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, input=typed)
    assert done.returncode == code, done.stderr
    return done


def test_a_file_goes_from_a_dry_run_to_a_signed_import(folder: Path) -> None:
    [number, *_] = json.loads(muster(folder, "profile", "tickets.csv", "--json").stdout)
    assert number == {"column": "工单号", "kind": "text", "empty": "0%", "different": "3", "samples": "T1, T2, T3"}
    refused = muster(folder, "import", "tickets.csv", "--map", "map.yaml", typed="n\n")
    assert "rows 3  clean 1  changed 1  unchanged 0  duplicates 0  waiting 1" in refused.stdout
    assert "2024/3/2 9:00 → 2024-03-02T01:00:00Z" in refused.stdout
    [only_checked] = json.loads(muster(folder, "list", "--json").stdout)
    assert (only_checked["number"], only_checked["state"]) == (1, "checked")
    [ended] = json.loads(muster(folder, "resume", 1, "--json").stdout)
    assert (ended["state"], ended["waiting"], ended["differing"]) == ("imported", 1, 0)
    assert "say in a note" in muster(folder, "sign", 1, code=2).stderr
    [signed] = json.loads(muster(folder, "sign", 1, "--note", "T3 is lost", "--json").stdout)
    assert signed["state"] == "signed"
    assert "file 1 is signed" in muster(folder, "undo", 1, code=2).stderr


def test_an_import_is_undone_and_mistakes_say_what_to_do(folder: Path) -> None:
    [ended] = json.loads(muster(folder, "import", "tickets.csv", "--map", "map.yaml", "--yes", "--json").stdout)
    assert ended["state"] == "imported"
    assert "undo it first" in muster(folder, "import", "tickets.csv", "--map", "map.yaml", "--yes", code=2).stderr
    [undone] = json.loads(muster(folder, "undo", ended["number"], "--json").stdout)
    assert undone["state"] == "undone"
    assert "name either --preset NAME or --map FILE" in muster(folder, "import", "tickets.csv", code=2).stderr
    assert "say which with --fact" in muster(folder, "import", "tickets.csv", "--preset", "recruit_file", code=2).stderr
    assert "can not be read" in muster(folder, "profile", "nothing.csv", code=2).stderr


def test_many_rows_are_not_signed_where_nobody_can_tell_who_types(folder: Path) -> None:
    rows = "".join(f"T{n},2024-03-01 08:00:00,已解决\n" for n in range(501))
    (folder / "many.csv").write_text("工单号,创建时间,状态\n" + rows)
    [ended] = json.loads(muster(folder, "import", "many.csv", "--map", "map.yaml", "--yes", "--json").stdout)
    assert (ended["state"], ended["differing"]) == ("imported", 0)
    assert "a second person signs it on the page" in muster(folder, "sign", ended["number"], code=2).stderr
