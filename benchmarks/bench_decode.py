"""Records a second that each family's decoder reads from what its terminals send, head and all, up to finished events.

CPU time: nothing waits. Pages are of the size that the family sends, so that the cost of a message is in it.
"""

import time
from zoneinfo import ZoneInfo

from benchmarks.decode_samples import SAMPLES
from benchmarks.figure import Figure, figure
from gateway.cli.families import load_driver
from gateway.device import Decoder
from gateway.profile import load_profile

NAME = "decode"
ZONE = ZoneInfo("Asia/Shanghai")
AT_LEAST_S = 0.4
TARGET = 10_000
"""Records a second: a full log of 100,000 is read in ten seconds on one core."""


def run() -> list[Figure]:
    """One figure for each family."""
    return [
        figure(f"decode {family}", _rate(family, profile, make()), "records/s", better="higher", target=TARGET)
        for family, profile, make in SAMPLES
    ]


def _rate(family: str, profile_name: str, sample: tuple[bytes, int]) -> float:
    driver = load_driver(family)
    assert isinstance(driver, Decoder), family
    data, records = sample
    profile = load_profile(profile_name)
    found = sum(len(one.events) for one in driver.decode(data, profile, ZONE, "SN1"))
    assert found == records, f"{family}: {found} of {records} records decoded"
    rounds, begin = 0, time.process_time()
    while (took := time.process_time() - begin) < AT_LEAST_S:
        driver.decode(data, profile, ZONE, "SN1")
        rounds += 1
    return records * rounds / took
