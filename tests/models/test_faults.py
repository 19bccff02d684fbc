"""A faulty endpoint: what is transient is tried again and counted, what is hopeless ends early and can be resumed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from personae.core import EndpointDownError, EndpointError, JudgementRow, ReplyError, derive_rng
from personae.models import CallLog, GenerateRequest, Limits, Message, OpenAIModel, RecordedModel, Sampling, wrap_model
from personae.runs import Run, Unit, execute, open_run

if TYPE_CHECKING:
    from loopback import Endpoint

T = TypeVar("T")
KINDS = (
    "429", "500", "503", "drop", "reset", "cut", "not-json", "shape", "list", "empty", "error200", "slow", "drip",
    "imposter", "duplicate",
)  # fmt: skip
COUNTED = {
    "429": "status 429", "500": "status 500", "503": "status 503", "drop": "connection", "reset": "connection",
    "cut": "reply: cut-off JSON", "not-json": "reply: no JSON", "shape": "reply: a choice without a message",
    "list": "reply: JSON that is not an object", "empty": "reply: no choices",
    "error200": "reply: an error with a success status", "slow": "timeout", "drip": "timeout",
    "imposter": "another model", "duplicate": "duplicate",
}  # fmt: skip
SLEPT: list[float] = []


def clock() -> float:
    return time.monotonic() + sum(SLEPT)


async def skip(seconds: float) -> None:
    """Nobody waits in a test: the clock is put forward."""
    SLEPT.append(seconds)
    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _no_time_has_passed() -> None:
    SLEPT.clear()


def opened(endpoint: Endpoint | Sequence[str], **limits: Any) -> OpenAIModel:
    urls = endpoint if isinstance(endpoint, (list, tuple)) else endpoint.url
    settings = {"timeout": 0.2, "deadline": 1e9, "retries": 12, **limits}
    return OpenAIModel("tiny", urls, limits=Limits(**settings), clock=clock, sleep=skip)


def using(model: OpenAIModel, use: Callable[[OpenAIModel], Awaitable[T]]) -> T:
    async def scene() -> T:
        try:
            return await use(model)
        finally:
            await model.close()

    return asyncio.run(scene())


def ask(text: str = "Hi", seed: int = 0) -> GenerateRequest:
    return GenerateRequest(
        (Message("system", "You are Ada."), Message("user", text)), Sampling(max_tokens=9), seed=seed
    )


@pytest.mark.parametrize("fault", KINDS)
def test_every_fault_is_survived_and_counted_by_its_kind(endpoint: Endpoint, tmp_path: Path, fault: str) -> None:
    async def use(model: OpenAIModel) -> None:
        with CallLog(tmp_path / "calls.sqlite") as log:
            recorded = RecordedModel(model, log)
            first = await recorded.generate(ask("one"))
            endpoint.faults = [fault]
            answer = await recorded.generate(ask("two"))
            assert answer.text.startswith("reply ")
            assert answer.text != first.text
            rows = list(log.records())
            assert [r.error for r in rows] == [None, None]
            assert rows[0].faults == {}
            assert rows[1].faults == {COUNTED[fault]: 1}
            assert rows[1].attempt == 2

    using(opened(endpoint), use)


@pytest.mark.parametrize("fault", ["429", "slow", "reset", "empty", "imposter"])
def test_a_fault_that_stays_is_one_clear_error_with_the_number_of_tries(
    endpoint: Endpoint, tmp_path: Path, fault: str
) -> None:
    async def use(model: OpenAIModel) -> None:
        await model.generate(ask("well"))
        endpoint.always = fault
        with CallLog(tmp_path / "calls.sqlite") as log:
            with pytest.raises((EndpointError, ReplyError), match=r"\(3 tries\)"):
                await RecordedModel(model, log).generate(ask("ill"))
            (row,) = log.records()
            assert row.faults == {COUNTED[fault]: 3}
            assert row.response is None

    using(opened(endpoint, retries=2), use)


def mixed(seed: int, share: float) -> Callable[[int], str]:
    """Fault of request k: one of all kinds with this probability."""

    def choose(k: int) -> str:
        rng = derive_rng(seed, "fault", k)
        return KINDS[int(rng.integers(len(KINDS)))] if rng.random() < share else ""

    return choose


def run_study(folder: Path, model: OpenAIModel, calls: int, *, each: int = 4) -> str:
    """A scripted study: units of a few calls in a row, each seeing what was said before; returns the digest."""
    units = [Unit(f"talk/{k}", "talk", k) for k in range(calls // each)]
    with Run.create_or_resume(folder, study="faults", spec={}, seed=7, model=None, determinism="replay") as run:
        recorded = wrap_model(model, log=run.calls)

        async def work(unit: Unit) -> list[JudgementRow]:
            said: list[str] = []
            for turn in range(each):
                request = ask("\n".join([f"{unit.payload}", *said]), seed=turn)
                said.append((await recorded.generate(request)).text)
            return [
                JudgementRow(
                    unit=unit.key, conversation=unit.key, persona_id="p", condition="c", judge="j", subject=str(k),
                    verdict=text, agreement="scripted",
                )
                for k, text in enumerate(said)
            ]  # fmt: skip

        using(model, lambda _: execute(run, units, work, concurrency=16))
        return run.digest()


@pytest.mark.parametrize("calls", [240, pytest.param(2000, marks=pytest.mark.slow)])
def test_with_thirty_percent_faults_the_evidence_is_that_of_a_run_without_any(
    endpoint: Endpoint, tmp_path: Path, calls: int
) -> None:
    plain = run_study(tmp_path / "plain", opened(endpoint, timeout=30.0), calls)
    endpoint.requests.clear()
    endpoint.sent.clear()  # what an earlier model was told, this one cannot recognise
    endpoint.stall, endpoint.choose = 1.2, mixed(11, 0.3)
    endpoint.injected.clear()
    assert run_study(tmp_path / "faulty", opened(endpoint, parallel=12, breaker=100, timeout=1.0), calls) == plain
    injected = sum(endpoint.injected.values())
    # Binomial: 0.3 ± 4 standard deviations.
    assert abs(injected / len(endpoint.requests) - 0.3) < 4 * (0.21 / len(endpoint.requests)) ** 0.5
    if calls == 2000:
        assert set(endpoint.injected) == set(KINDS)
    with open_run(tmp_path / "faulty") as run:
        records = list(run.calls.records())
        assert run.count(failed=True) == 0
    counted = sum((Counter(r.faults) for r in records), Counter())
    expected: Counter[str] = Counter()
    for fault, count in endpoint.injected.items():
        expected[COUNTED[fault]] += count
    assert counted == expected  # every failure is counted, once
    assert len(records) == calls
    assert len({r.key for r in records}) == calls  # no call is answered twice in the log
    assert all(r.error is None for r in records)


def test_when_everything_fails_the_run_ends_early_and_goes_on_later(endpoint: Endpoint, tmp_path: Path) -> None:
    calls = 400
    limits: dict[str, Any] = {"retries": 3, "breaker": 6, "parallel": 4}
    plain = run_study(tmp_path / "plain", opened(endpoint), calls)
    endpoint.requests.clear()
    endpoint.always = "500"
    began = clock()
    with pytest.raises(
        EndpointDownError, match=r"6 calls failed in a row.*status 500.*4 tries.*same command"
    ) as caught:
        run_study(tmp_path / "run", opened(endpoint, **limits), calls)
    # The bound: when the circuit opens, one call of each of the 16 units in flight may have made its tries too.
    assert len(endpoint.requests) <= (6 + 16) * 4
    assert clock() - began < (6 + 16) * (0.5 + 1 + 2 + 4) + 30
    assert caught.value.exit_code == 4
    with open_run(tmp_path / "run") as run:
        assert run.state == "interrupted"
    endpoint.always = ""
    assert run_study(tmp_path / "run", opened(endpoint, **limits), calls) == plain
    with open_run(tmp_path / "run") as run:
        assert run.state == "completed"
        assert run.count(failed=True) == 0


def test_one_success_closes_the_count_and_a_single_broken_unit_opens_nothing(endpoint: Endpoint) -> None:
    async def use(model: OpenAIModel) -> None:
        for k in range(12):
            endpoint.faults = ["400"] if k % 2 else []
            if k % 2:
                with pytest.raises(EndpointError, match="status 400"):
                    await model.generate(ask(str(k)))
            else:
                await model.generate(ask(str(k)))
        endpoint.always = "400"
        for k in range(3):
            with pytest.raises(EndpointError, match="status 400"):
                await model.generate(ask(f"again {k}"))
        sent = len(endpoint.requests)
        with pytest.raises(EndpointDownError, match="3 calls failed in a row"):
            await model.generate(ask("no more"))
        assert len(endpoint.requests) == sent

    using(opened(endpoint, breaker=3), use)


# ---- who answers ----


def test_a_server_with_a_name_of_its_own_is_believed_the_second_time(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.model = "/srv/weights/other.gguf"

    async def use(model: OpenAIModel) -> None:
        with CallLog(tmp_path / "calls.sqlite") as log:
            recorded = RecordedModel(model, log)
            await recorded.generate(ask("one"))
            await recorded.generate(ask("two"))
            assert [r.faults for r in log.records()] == [{"another model": 1}, {}]
        endpoint.model = "a-third-one"
        with pytest.raises(ReplyError, match="asked for 'tiny' and answered as 'a-third-one'"):
            await model.generate(ask("three"))

    using(opened(endpoint, retries=1), use)


@pytest.mark.parametrize("name", ["tiny", "tiny-2024-08-06", "org/tiny", "TINY.gguf", "/models/tiny-q8.gguf"])
def test_snapshots_and_paths_of_the_same_name_are_the_same_model(endpoint: Endpoint, name: str) -> None:
    endpoint.model = name

    async def use(model: OpenAIModel) -> None:
        await model.generate(ask())
        assert len(endpoint.requests) == 1

    using(opened(endpoint), use)


def test_a_server_that_gives_all_replies_one_id_is_understood(endpoint: Endpoint) -> None:
    endpoint.constant_id = True

    async def use(model: OpenAIModel) -> None:
        for k in range(5):
            assert (await model.generate(ask(str(k)))).text.startswith("reply ")
        assert len(endpoint.requests) == 5 + 2

    using(opened(endpoint), use)


# ---- several addresses ----


@pytest.fixture
def second(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    """Another running endpoint."""
    with request.getfixturevalue("another_endpoint")() as state:
        yield state


def test_calls_are_balanced_and_a_prefix_stays_with_its_server(endpoint: Endpoint, second: Endpoint) -> None:
    async def use(model: OpenAIModel) -> None:
        def asked(who: int, k: int) -> GenerateRequest:
            chat = (Message("system", f"You are number {who}."), Message("user", f"Hi {k}"))
            return GenerateRequest(chat, Sampling(max_tokens=9))

        for k in range(4):
            for who in range(12):
                await model.generate(asked(who, k))
        homes = [{b["messages"][0]["content"] for b in e.bodies()} for e in (endpoint, second)]
        assert homes[0].isdisjoint(homes[1])
        assert min(map(len, homes)) >= 2
        endpoint.hold = second.hold = 0.02
        await asyncio.gather(*(model.generate(asked(0, k)) for k in range(10, 34)))
        assert endpoint.most_in_flight > 1
        assert second.most_in_flight > 1  # a crowd of one prefix overflows to the other
        assert model.parallel == 16

    using(opened([endpoint.url, second.url]), use)


def test_a_server_that_is_down_is_left_alone_for_a_while(endpoint: Endpoint, free_port: int, tmp_path: Path) -> None:
    down = f"http://127.0.0.1:{free_port}/v1"

    async def use(model: OpenAIModel) -> None:
        with CallLog(tmp_path / "calls.sqlite") as log:
            recorded = RecordedModel(model, log)
            for k in range(20):
                await recorded.generate(ask(f"{k}", seed=k))
            faults = sum((Counter(r.faults) for r in log.records()), Counter())
        assert faults["connection"] <= 1  # found out once, then left alone
        assert len(endpoint.requests) == 20
        assert model.reference == f"openai:tiny@{down},{endpoint.url}"

    using(opened([down, endpoint.url]), use)


def test_all_servers_down_is_one_clear_error(free_port: int) -> None:
    down = [f"http://127.0.0.1:{free_port}/v1", f"http://127.0.0.1:{free_port}/v2"]

    async def use(model: OpenAIModel) -> None:
        with pytest.raises(EndpointError, match="cannot reach"):
            await model.generate(ask())

    using(opened(down, retries=2), use)


# ---- streams ----


def test_a_stream_is_heard_in_pieces_and_is_the_same_answer(endpoint: Endpoint, tmp_path: Path) -> None:
    async def use(model: OpenAIModel) -> None:
        whole = await model.generate(ask())
        told: list[str] = []
        with CallLog(tmp_path / "calls.sqlite") as log:
            heard = await RecordedModel(model, log).generate(ask(), on_text=told.append)
            (row,) = log.records()
        assert heard.text == whole.text == "".join(told)
        assert len(told) > 1
        assert heard.usage == whole.usage
        assert heard.finish_reason == "stop"
        assert row.server["model"] == "tiny-1"
        assert endpoint.bodies()[1]["stream"] is True

    using(opened(endpoint), use)


def test_a_stream_that_breaks_before_anything_was_told_is_tried_again_and_later_not(endpoint: Endpoint) -> None:
    async def use(model: OpenAIModel) -> None:
        await model.generate(ask())
        for fault in ("503", "not-json", "slow"):
            endpoint.faults = [fault]
            told: list[str] = []
            assert (await model.generate(ask(fault), on_text=told.append)).text == "".join(told)
        endpoint.break_stream = 2
        told = []
        with pytest.raises(ReplyError, match="broke a stream off after 8 characters"):
            await model.generate(ask("broken"), on_text=told.append)
        assert len(told) == 2

    using(opened(endpoint), use)
