"""A real GoAccess: what it counts in a log is what the preset brings."""

import datetime as dt
import shutil
import subprocess
from pathlib import Path

from tests.peers.reading import Reader
from tests.peers.systems import needs

PRESET = "web_goaccess"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
CRAWLER = "Googlebot/2.1 (+http://www.google.com/bot.html)"


def line(address: str, day: int, page: str, browser: str = FIREFOX) -> str:
    return f'{address} - - [{day:02}/Mar/2026:09:00:00 +0800] "GET {page} HTTP/1.1" 200 512 "-" "{browser}"\n'


def count(log: str, folder: Path) -> None:
    needs(Path(shutil.which("goaccess") or "/usr/bin/goaccess"))
    (folder / "access.log").write_text(log)
    (folder / "files/web").mkdir(parents=True, exist_ok=True)
    options = ["--log-format=COMBINED", "--ignore-crawlers", "--no-global-config", "--no-progress"]
    command = ["goaccess", "access.log", *options, "-o", "files/web/goaccess.json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


async def test_days_of_a_log_and_one_that_goes_on(reader: Reader) -> None:
    log = line("203.0.113.5", 2, "/") + line("203.0.113.5", 2, "/vase") + line("203.0.113.6", 2, "/")
    log += line("203.0.113.5", 3, "/") + line("203.0.113.9", 3, "/", CRAWLER)
    count(log, reader.folder)
    await reader.connect(PRESET, "")
    run = await reader.run(PRESET, "web_day", "")
    assert (run.state, run.message, run.counts.added, run.counts.waiting) == ("ok", "", 2, 0)
    count(log + line("203.0.113.7", 3, "/"), reader.folder)
    run = await reader.run(PRESET, "web_day", "")
    assert (run.state, run.counts.added, run.counts.changed) == ("ok", 0, 1)
    rows = (await reader.rows(PRESET, "web_day")).values()
    assert sorted((row["stat_date"], row["visitors"], row["views"]) for row in rows) == [
        (dt.date(2026, 3, 2), 2, 3),
        (dt.date(2026, 3, 3), 2, 2),
    ]
