"""SEC-33 with coverage as the guide: atheris looks for bytes with which a decoder ends in anything but DataError."""

import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAMILIES = sorted({entry.name for entry in entry_points(group="muster.drivers")})
SECONDS = 15
LIMITS = ("-max_len=4096", "-timeout=5", "-rss_limit_mb=1024", "-verbosity=1", "-seed=20261123")


@pytest.mark.long
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this machine or this Python")
@pytest.mark.parametrize("family", FAMILIES)
def test_sec33_a_decoder_raises_nothing_but_data_errors(family: str, tmp_path: Path) -> None:
    seeds, finds = tmp_path / "seeds", tmp_path / "finds"
    seeds.mkdir()
    finds.mkdir()
    words = [sys.executable, "-m", "tests.support.fuzz_codec", family, str(seeds), *LIMITS]
    words += [f"-max_total_time={SECONDS}", f"-artifact_prefix={finds}/"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [one.read_bytes().hex() for one in finds.iterdir()]
    assert (done.returncode, found) == (0, []), done.stderr[-4000:]
    assert "Done " in done.stderr
