"""The deeppersona study: without a model, with one, and against human answers, negative results included."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from checks import measured, rows, self_contained

from personae.core import InputError, PersonaRow, ResponseRow, SlotRow
from personae.instruments import load_survey_items
from personae.measures import citizen_measurements, read_humans
from personae.studies import Order, run_study, studies
from personae.studies.deeppersona import DeepPersona

SMALL = {"people": 6, "depth": 40, "choice_people": 30, "judge_encoder": "hash"}
ITEMS = load_survey_items(DeepPersona.folder() / "data" / "citizen.yaml")


def go(out: Path, model: str = "fake:statistical", **more: object):
    order = Order("deeppersona", out, model=model, settings=SMALL | more)
    return asyncio.run(run_study(order, say=lambda _: None, note=lambda _: None))


@pytest.fixture(scope="module")
def humans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("humans") / "answers.csv"
    lines = ["aj,trustmostpeople,nationalpride,respectauthority"]
    lines += [f"{1 + k % 10},{k % 2},{int(k % 5 > 0)},{k % 3 - 1}" for k in range(60)]
    file.write_text("\n".join([*lines, ",,,"]) + "\n")
    return file


def test_without_a_model_nobody_is_asked(tmp_path: Path) -> None:
    done = go(tmp_path / "run", model="none")
    assert done.model == "none"
    found = measured(done.folder)
    assert found["depth.violations"].value == 0
    assert found["depth.attributes"].value >= 40
    assert found["choice.coverage_at_10.532_minus_near.k100"].interval.low > 0
    assert found["choice.jaccard.532_minus_near.k100"].interval.high < 0
    assert found["choice.incoherence.532_minus_uniform.k100"].interval.high < 0
    depths = [found[f"choice.coverage_at_10.5:3:2.k{k}"].value for k in (10, 50, 100, 200, 300)]
    assert depths == sorted(depths)
    assert len(rows(done.folder, PersonaRow)) == 6
    assert len(rows(done.folder, SlotRow)) == 30 * 3 * 7
    assert 'id="choice"' in self_contained(done.report)


def test_the_survey_has_three_conditions_and_prints_what_it_finds(tmp_path: Path, humans: Path) -> None:
    done = go(tmp_path / "run", choices=False, survey=True, humans=str(humans))
    answers = rows(done.folder, ResponseRow)
    assert {r.condition for r in answers} == {"no_persona", "country", "deep"}
    assert len(answers) == (6 + 2) * len(ITEMS)
    found = measured(done.folder)
    for distance in ("ks", "wasserstein", "js_divergence", "js_distance", "mean_difference"):
        assert found[f"citizen.{distance}.deep"].interval is not None
        assert found[f"citizen.{distance}.country"].interval is None
        gap = found[f"citizen.{distance}.deep_minus_country"]
        assert gap.value == pytest.approx(
            found[f"citizen.{distance}.deep"].value - found[f"citizen.{distance}.country"].value
        )
    assert "deep minus country" in "\n".join(done.headline)


def answered(condition: str, who: str, shift: int) -> list[ResponseRow]:
    out = []
    for item in ITEMS:
        shares = [0.0] * len(item.options)
        shares[min(shift, len(shares) - 1)] = 1.0
        out.append(
            ResponseRow(
                unit=who, persona_id=who if condition == "deep" else None, actor=who, condition=condition,
                condition_hash="", instrument=item.id, item=item.id, scale="S", key=1, order="both", method="score",
                status="ok", value=1.0, keyed=1.0, probabilities=tuple(shares), model="m", seed=0,
            )
        )  # fmt: skip
    return out


@pytest.mark.parametrize(("deep", "control", "sign"), [(0, 9, -1), (9, 0, 1)])
def test_a_result_against_the_personas_is_shown_like_any_other(
    tmp_path: Path, deep: int, control: int, sign: int
) -> None:
    file = tmp_path / "low.csv"
    file.write_text("aj,satisfinancial\n" + "1,1\n2,2\n1,1\n" * 10)
    found, without = read_humans(file, ITEMS)
    assert set(found) == {"abortion", "money"}
    assert without["trust"] == "no column 'trustmostpeople'"
    answers = [a for k in range(12) for a in answered("deep", f"p{k}", deep + (k % 2) * (1 - deep // 5))]
    answers += answered("country", "nobody", control)
    out = citizen_measurements(answers, ITEMS, found, deep="deep", controls=["country"], model="m", seed=1, draws=100)
    gap = next(m for m in out if m.name == "citizen.wasserstein.deep_minus_country")
    assert gap.value * sign > 0


def test_missing_files_and_bad_settings_are_named_before_anything_is_made(tmp_path: Path) -> None:
    for wrong in ({"humans": str(tmp_path / "none.csv")}, {"anchors": "age"}, {"least_words": 500}):
        with pytest.raises(InputError):
            go(tmp_path / "run", **wrong)
    assert not studies.get("deeppersona")().asks(DeepPersona.Spec())
