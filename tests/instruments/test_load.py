import json

import pytest
import yaml

from personae.core import InputError, Instrument, SchemaError, UnknownKeyError, VersionError
from personae.instruments import instruments, load_instrument, parse_instrument

SMALL = {
    "name": "small",
    "title": "A small scale",
    "licence": "my own",
    "source": "me",
    "instructions": "Say what fits.",
    "options": [{"text": "no", "value": 0}, {"text": "yes", "value": 1}],
    "scales": {"X": "thing"},
    "items": [
        {"id": "x1", "text": "It fits.", "scale": "X"},
        {"id": "x2", "text": "It does not.", "scale": "X", "key": -1},
    ],
}


def test_ipip50_is_complete():
    ipip = load_instrument("ipip50")
    assert len(ipip.items) == 50
    assert {s: sum(i.scale == s for i in ipip.items) for s in ipip.scales} == dict.fromkeys("OCEAN", 10)
    reverse = {i.id for i in ipip.items if i.key == -1}
    assert sorted(reverse) == [
        "A1", "A3", "A5", "A7", "C2", "C4", "C6", "C8", "E10", "E2", "E4", "E6", "E8", "N2", "N4", "O2", "O4", "O6",
    ]  # fmt: skip
    assert [o.value for o in ipip.options] == [1, 2, 3, 4, 5]
    assert ipip.licence == "public domain"
    assert all(i.text.startswith("I ") and i.text.endswith(".") for i in ipip.items)
    assert set(ipip.scales.values()) == {
        "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism",
    }  # fmt: skip


def test_ipip50_norms_are_those_of_the_internet_sample():
    (norms,) = load_instrument("ipip50").norms
    assert "not representative" in norms.sample
    e = norms.scales["E"]
    assert (e.mean, e.sd, e.alpha, e.n) == (3.0113, 0.9229, 0.893, 19631)


def test_it_is_read_once_and_never_differs():
    assert load_instrument("ipip50") is load_instrument("ipip50")
    assert load_instrument("ipip50").id == "i-051d279147456dc1"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="'ipip50'"):
        load_instrument("ipip5O")
    assert "ipip50" in instruments.names()


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_ones_own_file(tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    path.write_text(json.dumps(SMALL) if suffix == "json" else yaml.safe_dump(SMALL), encoding="utf-8")
    mine = load_instrument(path)
    assert mine == load_instrument(str(path)) == Instrument.model_validate(SMALL)
    assert mine.low == 0
    assert mine.high == 1


def test_an_unknown_key_is_answered_with_the_nearest():
    with pytest.raises(UnknownKeyError, match="Did you mean 'options'"):
        parse_instrument({**SMALL, "option": []})


def test_an_unknown_key_deep_inside_is_answered_with_the_nearest():
    items = [{"id": "x1", "text": "It fits.", "scael": "X"}]
    with pytest.raises(SchemaError, match=r"items\.0\.scael: unknown key 'scael'; did you mean 'scale'\?"):
        parse_instrument({**SMALL, "items": items})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": [*SMALL["items"], SMALL["items"][0]]}, "item ids given twice: .'x1'"),
        ({"items": [{"id": "y", "text": "?", "scale": "Y"}]}, "scales that `scales` does not list: .'Y'"),
        ({"items": []}, "at least one item"),
        ({"options": [{"text": "no", "value": 0}]}, "at least two response options"),
        ({"options": [{"text": "no", "value": 0}, {"text": "no", "value": 1}]}, "different texts"),
        ({"options": [{"text": "no", "value": 1}, {"text": "yes", "value": 1}]}, "two different values"),
        ({"options": [{"text": "no", "value": 0}, {"text": "yes", "value": float("nan")}]}, "finite number"),
        ({"stem": "Here it is:"}, "does not say where the item goes"),
        ({"items": [{"id": "x1", "text": "?", "scale": "X", "key": 2}]}, "items.0.key"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(SchemaError, match=message):
        parse_instrument({**SMALL, **change})


def test_a_newer_version_is_refused():
    with pytest.raises(VersionError, match="newer release"):
        parse_instrument({**SMALL, "schema_version": 2})


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("bad.yaml", b"\xff\xfe\x00x", InputError, "not UTF-8"),
        ("bad.yaml", b"a: [1", SchemaError, "not valid YAML"),
        ("bad.json", b"{", SchemaError, "not valid JSON"),
        ("bad.yaml", b"- 1", SchemaError, "got list, expected one mapping"),
        ("bad.yaml", b"", SchemaError, "got NoneType"),
    ],
)
def test_unreadable_files(tmp_path, name, content, error, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        load_instrument(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="Cannot read the instrument file"):
        load_instrument(tmp_path / "none.yaml")
