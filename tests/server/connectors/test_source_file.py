"""A source file is checked whole: every fault with its line."""

import pytest

from server.connectors.errors import SourceFileError
from server.connectors.presets import load_preset, preset_names
from server.connectors.source_file import read_source

GOOD = """\
source: shop
kind: http_json
base_url: https://shop.example.com
auth: {type: bearer, token: "${secret:shop}"}
streams:
  - fact: customer
    key: id
    map:
      customer_key: id
"""


def faults(text: str) -> list[str]:
    with pytest.raises(SourceFileError) as refused:
        read_source(text, "shop.yaml")
    return [str(problem) for problem in refused.value.problems]


def test_a_good_file_is_read() -> None:
    source = read_source(GOOD, "shop.yaml")
    assert [stream.id for stream in source.streams] == ["customer"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("kind: http_json", "kind: telepathy"), "line 2, kind: "),
        (("base_url:", "base_uri:"), "line 3, base_uri: unknown, maybe misspelt: base_uri"),
        (('"${secret:shop}"', "abc123"), "line 4, auth.token: a secret is never in the file"),
        (("fact: customer", "fact: custommer"), "line 6, streams[0]: fact 'custommer' is unknown"),
        (("customer_key: id", "merged_into: id"), "line 6, streams[0]: map: customer needs customer_key"),
        (
            ("customer_key: id", "customer_key: id\n      age: years"),
            "line 10, streams[0].map.age: customer has no field age",
        ),
        (
            ("customer_key: id", "customer_key: {path: id, eval: x}"),
            "line 9, streams[0].map.customer_key.eval: unknown",
        ),
        (("customer_key: id", "customer_key: {path: 'a..b'}"), "line 9, streams[0].map.customer_key.path: 'a..b'"),
        (
            ("customer_key: id", "customer_key: {pick: {path: ids, take: first}}"),
            "line 9, streams[0].map.customer_key.pick: first and last need of, a place in the element; count has none",
        ),
        (("customer_key: id", "customer_key: {pick: {path: ids, take: any}}"), "line 9, streams[0].map.customer_key"),
        (("    key: id\n", ""), "line 6, streams[0]: key is missing"),
        (("customer_key: id", "customer_key: !!python/object:os.system id"), "line 9, streams[0].map.customer_key: "),
        (("source: shop", "source: shop\nsource: two"), "line 2"),
        (("https://shop", "https://user:pass@shop"), "line 3, base_url: holds a password"),
    ],
)
def test_a_fault_is_told_with_its_line(change: tuple[str, str], fault: str) -> None:
    assert change[0] in GOOD
    assert any(found.startswith(fault) for found in faults(GOOD.replace(*change))), faults(GOOD.replace(*change))


def test_several_faults_are_told_at_once() -> None:
    text = GOOD.replace("kind: http_json", "kind: none").replace("fact: customer", "fact: none")
    assert [fault.partition(":")[0] for fault in faults(text)] == ["line 2, kind", "line 6, streams[0]"]


def test_no_yaml_at_all_is_told_with_its_line() -> None:
    assert faults("source: [a\nb: c")[0].startswith("line 2")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_good_and_holds_no_secret(name: str) -> None:
    source = load_preset(name)
    assert source.source == name
    assert source.title is not None
