from importlib.metadata import entry_points

from benchmarks.bench_decode import ZONE
from benchmarks.decode_samples import SAMPLES
from gateway.cli.families import load_driver
from gateway.device import Decoder
from gateway.profile import load_profile


def test_every_family_is_measured_with_a_message_that_is_read_in_full() -> None:
    assert {family for family, _, _ in SAMPLES} == {entry.name for entry in entry_points(group="muster.drivers")}
    for family, profile, make in SAMPLES:
        driver, (data, records) = load_driver(family), make()
        assert isinstance(driver, Decoder)
        told = driver.decode(data, load_profile(profile), ZONE, "SN1")
        assert (sum(len(one.events) for one in told), [p for one in told for p in one.problems]) == (records, []), (
            family
        )
