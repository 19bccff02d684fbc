"""The torch adapter on tiny models of every family; parity with the compiled engine on the embedded model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, ModelError
from personae.models import (
    CallLog,
    Changeable,
    Flow,
    GenerateRequest,
    HfModel,
    Message,
    Sampling,
    ScoreRequest,
    Site,
    open_model,
    read_json,
    wrap_model,
)
from personae.models._hf_files import HfTokenizer, read_folder

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from hf_folders import CONTROLS, FAMILIES, write_folder  # noqa: E402

CHAT = (
    Message("system", "You are Ada."),
    Message("user", "Say the word."),
    Message("assistant", "the"),
    Message("user", "Go"),
)
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=12)
OPTIONS = (" the cat", " the hat", " no", "x")


@dataclass(frozen=True)
class Rewrite:
    """A change made of a function."""

    site: Site
    function: Callable[[Any, Flow], Any]
    label: str = "some"
    constant: Any = None

    def __call__(self, hidden: Any, flow: Flow) -> Any:
        return self.function(hidden, flow)


def using(path: Path, use: Callable[[HfModel], Awaitable[Any]], **settings: Any) -> Any:
    async def go() -> Any:
        model = HfModel("hf:tiny", path, **{"threads": 1, "context": 256, **settings})
        try:
            return await use(model)
        finally:
            await model.close()

    return asyncio.run(go())


def group(count: int = 3) -> list[ScoreRequest]:
    return [ScoreRequest((CHAT[0], Message("user", f"Item {k}: the?")), OPTIONS, prefill="I say") for k in range(count)]


def reference(path: Path, prompt: tuple[int, ...], option: tuple[int, ...]) -> float:
    """The library itself on one whole sequence."""
    import transformers

    net = transformers.AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32).eval()
    ids = torch.tensor([[*prompt, *option]])
    with torch.no_grad():
        logs = torch.log_softmax(net(ids).logits[0].double(), dim=-1)
    return float(sum(logs[len(prompt) - 1 + k, token] for k, token in enumerate(option)))


@pytest.mark.parametrize("family", FAMILIES)
def test_options_are_scored_as_the_library_scores_whole_sequences(folders, family: str) -> None:
    path = folders(family)

    async def use(model: HfModel):
        prompts = [model._writer.prompt(r) for r in group()]
        return await model.score_options(group()), prompts

    scores, prompts = using(path, use)
    for score, prompt in zip(scores, prompts, strict=True):
        assert score.method == "exact:torch-float32"  # by tree: the masks were understood
        for k, option in enumerate(prompt.options):
            assert score.logprobs[k] == pytest.approx(reference(path, prompt.ids, option), abs=1e-4)
            assert score.firsts[k] == pytest.approx(reference(path, prompt.ids, option[:1]), abs=1e-4)
    computed = sum(s.usage.prefilled for s in scores)
    assert computed < sum(s.usage.prompt for s in scores) / 4


@pytest.mark.parametrize(
    ("family", "window"),
    [
        ("mistral", {"sliding_window": 8}),
        ("gemma3", {"sliding_window": 8, "layer_types": ["sliding_attention"] * 3}),
    ],
)
def test_sliding_windows_are_kept_beyond_their_length(folders, family: str, window: dict[str, Any]) -> None:
    path = folders(family, **window)
    prompt = tuple(range(10, 50))
    plain = reference(path, prompt, (60, 61))

    async def use(model: HfModel):
        from personae.models._hf_score import TorchScorer
        from personae.models._tree import Prompt

        scorer = TorchScorer(model._engine.opened(), context=256)
        return scorer.score([Prompt(prompt, ((60, 61), (60, 62)))]).logprobs[0][0], scorer.method

    value, method = using(path, use)
    assert method == "torch-float32"
    assert value == pytest.approx(plain, abs=1e-4)


def test_layers_with_and_without_a_window_each_get_their_own_mask(folders) -> None:
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    path = folders("gemma3", sliding_window=8, layer_types=kinds)
    prompt = tuple(range(10, 50))

    async def use(model: HfModel):
        from personae.models._hf_score import TorchScorer
        from personae.models._tree import Prompt

        return TorchScorer(model._engine.opened(), context=256).score([Prompt(prompt, ((60, 61),))]).logprobs[0][0]

    assert using(path, use) == pytest.approx(reference(path, prompt, (60, 61)), abs=1e-4)


def test_a_network_that_does_not_take_trees_is_asked_plainly(folders, monkeypatch) -> None:
    from personae.models._hf_score import TorchScorer

    async def use(model: HfModel):
        return await model.score_options(group())

    by_tree = using(folders(), use)
    monkeypatch.setattr(TorchScorer, "_takes_trees", lambda self: False)
    plainly = using(folders(), use)
    assert plainly[0].method == "exact:plain-float32"
    for a, b in zip(by_tree, plainly, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
        assert a.firsts == pytest.approx(b.firsts, abs=1e-4)


def greedy_by_hand(path: Path, prompt: tuple[int, ...], ends: frozenset[int], most: int) -> list[int]:
    import transformers

    net = transformers.AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32).eval()
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(most):
            token = int(net(torch.tensor([ids])).logits[0, -1].argmax())
            if token in ends:
                break
            ids.append(token)
    return ids[len(prompt) :]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_is_that_of_the_library_alone_and_in_a_padded_batch(folders, family: str) -> None:
    path = folders(family)
    requests = [GenerateRequest(CHAT[:n], GREEDY) for n in (2, 4)]
    requests.append(GenerateRequest((Message("user", "the hel" * 9),), replace(GREEDY, max_tokens=5)))

    async def use(model: HfModel):
        answers = await asyncio.gather(*(model.generate(r) for r in requests))
        folder = model._folder
        prompts = [tuple(t for turn in model.prompt_tokens(r) for t in turn) for r in requests]
        return answers, folder, prompts

    for mode in ("exact", "batched"):
        answers, folder, prompts = using(path, use, mode=mode)
        for answer, prompt, request in zip(answers, prompts, requests, strict=True):
            by_hand = greedy_by_hand(path, prompt, folder.ends, request.sampling.max_tokens)
            assert answer.text == folder.tokenizer.decode(by_hand)
            assert answer.usage.generated == len(by_hand)
            assert answer.usage.prompt == len(prompt)


def test_batches_are_shared_and_nobody_waits_for_ever(folders, monkeypatch) -> None:
    sizes: list[int] = []
    from personae.models import _hf_generate

    real = _hf_generate.run_rows

    def counted(net, tokenizer, ends, rows) -> None:
        sizes.append(len(rows))
        real(net, tokenizer, ends, rows)

    monkeypatch.setattr(_hf_generate, "run_rows", counted)

    async def use(model: HfModel):
        asked = [GenerateRequest((Message("user", f"say {k}"),), Sampling(max_tokens=4), seed=k) for k in range(20)]
        return await asyncio.gather(*(model.generate(r) for r in asked))

    answers = using(folders(), use, mode="batched", batch=6)
    assert len(answers) == 20
    assert sum(sizes) == 20
    assert max(sizes) == 6
    assert len(sizes) <= 6


def test_a_cancelled_call_leaves_the_batch_and_the_others_go_on(folders) -> None:
    async def use(model: HfModel):
        long = GenerateRequest((Message("user", "long"),), Sampling(max_tokens=200, temperature=1.5, top_p=1.0))
        tasks = [asyncio.create_task(model.generate(replace(long, seed=k))) for k in range(3)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert all(not isinstance(d, BaseException) for d in done[1:])
        assert not model._engine._waiting

    using(folders(), use, mode="batched")


def test_exact_answers_depend_on_nothing_but_the_request(folders) -> None:
    sampling = Sampling(max_tokens=8, temperature=1.2)
    asked = [GenerateRequest((Message("user", f"say {k}"),), sampling, seed=k, n=2) for k in range(4)]

    def texts(order: list[int]) -> dict[int, list[str]]:
        async def use(model: HfModel):
            async def one(k: int):
                async with model.session(str(k)):
                    return k, [c.text for c in (await model.generate(asked[k])).completions]

            return dict(await asyncio.gather(*(one(k) for k in order)))

        return using(folders(), use)

    assert texts([0, 1, 2, 3]) == texts([3, 1, 0, 2])
    first = texts([0])[0]
    assert first[0] != first[1]


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
}


def test_a_schema_masks_every_token_that_would_leave_it(folders) -> None:
    sampling = Sampling(max_tokens=160, temperature=1.3, top_p=1.0)

    async def use(model: HfModel):
        asked = [GenerateRequest(CHAT[:2], sampling, seed=k, json_schema=SCHEMA) for k in range(12)]
        return await asyncio.gather(*(model.generate(r) for r in asked))

    for answer in using(folders(), use, mode="batched"):
        assert answer.finish_reason == "stop"
        assert read_json(answer.text, SCHEMA)[1] is None


def test_a_prefill_is_part_of_the_value(folders) -> None:
    async def use(model: HfModel):
        begun = GenerateRequest(CHAT[:2], Sampling(max_tokens=160), json_schema=SCHEMA, prefill='{"name": "Z')
        answer = await model.generate(begun)
        assert read_json(begun.prefill + answer.text, SCHEMA)[1] is None
        with pytest.raises(InputError, match="prefill does not begin"):
            await model.generate(replace(begun, prefill="Well,"))
        with pytest.raises(InputError, match="cannot be made into a grammar"):
            await model.generate(replace(begun, prefill="", json_schema={"type": "nonsense"}))

    using(folders(), use)


def test_stop_strings_and_limits(folders) -> None:
    async def use(model: HfModel):
        whole = (await model.generate(GenerateRequest(CHAT[:2], replace(GREEDY, max_tokens=30)))).text
        mark = whole[4:6]
        cut = await model.generate(GenerateRequest(CHAT[:2], replace(GREEDY, max_tokens=30, stop=(mark,))))
        assert cut.text == whole[: whole.index(mark)]
        assert cut.finish_reason == ("stop" if cut.text.strip() else "empty")
        short = await model.generate(GenerateRequest(CHAT[:2], replace(GREEDY, max_tokens=3)))
        assert short.finish_reason in {"length", "empty"}
        with pytest.raises(ModelError, match="the context holds 256"):
            await model.generate(GenerateRequest((Message("user", "x" * 400),)))
        with pytest.raises(ModelError, match="the context holds 256"):
            await model.score_options([ScoreRequest((Message("user", "x" * 400),), ("a",))])

    using(folders(), use)


# ---- looking inside ----


@pytest.mark.parametrize("family", FAMILIES)
def test_block_numbers_are_those_of_the_hidden_states_after_them(folders, family: str) -> None:
    import transformers

    path = folders(family)
    request = GenerateRequest(CHAT)

    async def use(model: HfModel):
        return (await model.activations([request], [Site(0), Site(1), Site(2)]))[0]

    found = using(path, use)
    net = transformers.AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32).eval()
    with torch.no_grad():
        states = net(torch.tensor([found.tokens]), output_hidden_states=True).hidden_states
    assert found.values.shape == (len(found.tokens), 3, 48)
    for block in (0, 1):  # the last entry of the library is after the final norm
        assert np.abs(found.values[:, block] - states[block + 1][0].numpy()).max() < 1e-5
    assert np.abs(found.values[:, 0] - states[2][0].numpy()).max() > 1e-3  # one off would be seen


def test_spans_hold_the_contents_and_nothing_else(folders) -> None:
    request = GenerateRequest(CHAT, prefill="Well then")

    async def use(model: HfModel):
        return (await model.activations([request], [Site(1)]))[0], model._folder.tokenizer

    found, tokenizer = using(folders(), use)
    told = {span.message: tokenizer.decode(found.tokens[span.start : span.end]) for span in found.spans}
    assert told == {**{k: m.content for k, m in enumerate(CHAT)}, -1: "Well then"}
    assert [s.role for s in found.spans] == ["system", "user", "assistant", "user", "assistant"]


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_are_what_the_output_projection_gets(folders, family: str) -> None:
    async def use(model: HfModel):
        whole = (await model.activations([GenerateRequest(CHAT)], [Site(1, "heads"), Site(0, "heads")]))[0]
        gone = Rewrite(Site(1, "heads"), lambda hidden, flow: torch.zeros_like(hidden))
        zeroed = (await model.changed([gone]).activations([GenerateRequest(CHAT)], [Site(1, "heads"), Site(1)]))[0]
        return whole, zeroed

    whole, zeroed = using(folders(family), use)
    assert np.abs(whole.values).max() > 0
    assert np.abs(zeroed.values[:, 0]).max() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_changes_leave_no_trace_on_the_model(folders, family: str) -> None:
    """Undo law on bare hooks: side by side, one upon another, and after an exception inside."""

    def push(hidden: Any, flow: Flow) -> Any:
        return hidden + 0.5

    async def use(model: HfModel):
        async def scores(model: HfModel = model):
            return [s.logprobs for s in await model.score_options(group())]

        before = await scores()
        once = model.changed([Rewrite(Site(1), push)])
        twice = once.changed([Rewrite(Site(1), push), Rewrite(Site(2, "heads"), push)])
        both = await asyncio.gather(scores(once), scores(twice), scores(), scores(once))
        assert both[0] == both[3] != before
        assert both[2] == before
        assert both[1] not in (both[0], before)
        for wrong, told in ((lambda h, f: h[:, :1], "shape"), (lambda h, f: 1 / 0, "division")):
            with pytest.raises((ModelError, ZeroDivisionError), match=told):
                await scores(model.changed([Rewrite(Site(0), wrong)]))
        assert await scores() == before
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model._engine.opened().model.modules())

    using(folders(family), use)


def test_a_changed_model_is_another_one_to_cache_and_log(folders, tmp_path: Path) -> None:
    async def use(model: HfModel):
        with CallLog(tmp_path / "calls.sqlite") as log:
            cached = wrap_model(model, cache="read_write", cache_path=tmp_path / "cache.sqlite", log=log)
            plain = await cached.generate(GenerateRequest(CHAT[:2], GREEDY))
            assert isinstance(cached, Changeable)
            other = cached.changed([Rewrite(Site(1), lambda hidden, flow: -hidden, "minus")])
            assert "block1:minus" in str(other.fingerprint["changes"])
            assert "changes" not in model.fingerprint
            turned = await other.generate(GenerateRequest(CHAT[:2], GREEDY))
            again = await cached.generate(GenerateRequest(CHAT[:2], GREEDY))
            assert (plain.cached, turned.cached, again.cached) == (False, False, True)
            assert plain.call == again.call != turned.call
            assert plain.text == again.text != turned.text
            assert len({r.seq for r in log.records()}) == 3

    using(folders(), use)


def test_a_change_that_breaks_scores_does_not_decide_how_others_are_scored(folders) -> None:
    async def use(model: HfModel):
        broken = model.changed([Rewrite(Site(1), lambda hidden, flow: hidden * float("nan"))])
        await broken.score_options(group(1))
        return (await model.score_options(group(1)))[0].method

    assert using(folders(), use) == "exact:torch-float32"


def test_rows_with_different_changes_share_no_batch(folders) -> None:
    sizes: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[Any, Flow], Any]:
        def see(hidden: Any, flow: Flow) -> Any:
            sizes.append((name, len(hidden)))
            return hidden

        return see

    async def use(model: HfModel):
        views = [model.changed([Rewrite(Site(0), note(name), name)]) for name in ("a", "b")]
        asked = GenerateRequest(CHAT[:2], replace(GREEDY, max_tokens=1))
        made = await asyncio.gather(*(views[k % 2].generate(asked) for k in range(6)))
        assert len({m.text for m in made}) == 1

    using(folders(), use, mode="batched")
    assert sizes == [("a", 3), ("b", 3)]


def test_hooks_are_told_prompt_from_reply_and_padding_from_text(folders) -> None:
    seen: list[tuple[list[list[bool]], list[list[bool]]]] = []

    def note(hidden: Any, flow: Flow) -> Any:
        assert tuple(hidden.shape[:2]) == tuple(flow.prompt.shape) == tuple(flow.real.shape)
        seen.append((flow.prompt.tolist(), flow.real.tolist()))
        return hidden

    async def use(model: HfModel):
        model = model.changed([Rewrite(Site(0), note)])
        asked = [GenerateRequest((Message("user", "a" * n),), replace(GREEDY, max_tokens=2)) for n in (1, 4)]
        await asyncio.gather(*(model.generate(r) for r in asked))
        prefill, step = seen[0], seen[-1]
        assert sum(map(sum, prefill[1])) == sum(map(sum, prefill[0])) < len(prefill[0]) * len(prefill[0][0])
        assert not any(map(any, step[0]))
        assert all(map(all, step[1]))
        await model.score_options(group(1))  # the first time, the network is tried out as well
        seen.clear()
        await model.score_options(group(1))
        replies = sum(not p for flow in seen for row in flow[0] for p in row)
        options = model._writer.prompt(group(1)[0]).options
        shared = len({option[:k] for option in options for k in range(1, len(option))})
        assert replies == shared

    using(folders(), use, mode="batched")


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_are_known_before_weights_are_read(folders, family: str) -> None:
    async def use(model: HfModel):
        sizes = model.anatomy
        assert model._engine._net is None
        asked = [Site(sizes.blocks - 1)], [Site(0, "heads")]
        found = [(await model.activations([GenerateRequest(CHAT)], sites))[0].values.shape[-1] for sites in asked]
        assert found == [sizes.size("block"), sizes.size("heads")]
        with pytest.raises(InputError, match="blocks 0 to 2"):
            model.changed([Rewrite(Site(3), lambda hidden, flow: hidden)])
        with pytest.raises(InputError, match="without a label"):
            model.changed([Rewrite(Site(0), lambda hidden, flow: hidden, "")])
        with pytest.raises(InputError, match=r"shape \(7,\) for block 1, expected \(48,\)"):
            model.changed([Rewrite(Site(1), lambda hidden, flow: hidden, "x", np.zeros(7, np.float32))])

    using(folders(family), use)


# ---- folders ----


@given(st.lists(st.sampled_from([*CONTROLS, "he", " the", "<", "|", "im_end", "\n", "é", "\U0001f642"]), max_size=9))
@settings(max_examples=80, deadline=None)
def test_contents_have_no_way_to_name_an_added_token(folders, parts: list[str]) -> None:
    tokenizer = HfTokenizer(folders() / "tokenizer.json")
    text = "".join(parts)
    ids = tokenizer.tokenize(text, special=False)
    assert not tokenizer.control[ids].any()
    assert tokenizer._plain.decode(ids) == text


def test_control_text_is_recognised_and_the_folder_is_read(folders) -> None:
    folder = read_folder(folders())
    assert folder.template.name == "chatml"
    assert folder.template.default_system == "You are Tiny"
    assert folder.ends == {0, 2}
    assert folder.vocabulary == 272
    assert folder.tokenizer.tokenize("<|im_start|>he<|im_end|>", special=True)[::2] == [1, 2]


def test_white_space_tokens_stay_and_prefix_spaces_go(folders, tmp_path: Path) -> None:
    body = json.loads((folders() / "tokenizer.json").read_text())
    size = max(t["id"] for t in body["added_tokens"]) + 500
    wide = {**body["added_tokens"][-1], "id": size, "content": "    ", "special": False}
    body["added_tokens"].append(wide)
    body["pre_tokenizer"]["add_prefix_space"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(body))
    ours, plain = HfTokenizer(tmp_path / "tokenizer.json"), HfTokenizer(folders() / "tokenizer.json")
    assert len(ours.tokenize("a    b", special=False)) < len(plain.tokenize("a    b", special=False))
    assert not ours.control[ours.tokenize("a    b", special=False)].any()
    assert ours.tokenize("he", special=False) == plain.tokenize("he", special=False)


def test_what_is_no_model_folder_is_said_clearly(folders, tmp_path: Path) -> None:
    import shutil

    with pytest.raises(InputError, match="no model folder at"):
        open_model(f"hf:{tmp_path / 'none'}")
    needed = {
        "config.json": "has no config.json",
        "tokenizer.json": "has no tokenizer.json",
        "model.safetensors": "has no weights as safetensors",
    }
    for missing, said in needed.items():
        copy = tmp_path / missing
        shutil.copytree(folders(), copy)
        (copy / missing).unlink()
        with pytest.raises(InputError, match=said):
            read_folder(copy)
    broken = tmp_path / "broken"
    shutil.copytree(folders(), broken)
    (broken / "config.json").write_text("{half")
    with pytest.raises(InputError, match="cannot be read"):
        read_folder(broken)
    (broken / "config.json").write_text('{"model_type": "from_another_world"}')
    with pytest.raises(InputError, match="cannot be loaded as a causal language model"):
        using(broken, lambda model: model.generate(GenerateRequest(CHAT[:1])))


def test_a_base_model_gets_plain_text_and_a_system_role_fallback_is_used(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", template=None)

    async def show(model: HfModel) -> str:
        return model.show_prompt(GenerateRequest(CHAT[:2]))

    assert "User:\n⟧Say the word." in using(base, show)
    strict = write_folder(
        tmp_path / "strict",
        template="{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[bot]",
    )
    assert using(strict, show) == "⟦[user]⟧You are Ada.\n\nSay the word.⟦[bot]⟧"


def test_embeddings_are_unit_means_of_the_last_block(folders) -> None:
    async def use(model: HfModel):
        return (await model.embed(["the hat", "x", ""])).vectors

    vectors = using(folders(), use)
    assert vectors.shape == (3, 48)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


# ---- parity with the compiled engine ----


@pytest.mark.model
@pytest.mark.timeout(900)
def test_parity_with_the_compiled_engine_on_200_prompts() -> None:
    """Option ranks on 200 closed questions, and the likeliest next token of 200 chats, both against float32 torch.

    Scores come from the numpy engine (F16 weights), next tokens from the compiled one on eight-bit weights.
    """
    from personae.creation import load_gallery
    from personae.instruments import load_instrument

    people, items = load_gallery()[:20], load_instrument("ipip50").items
    answers = ("very inaccurate", "inaccurate", "neither", "accurate", "very accurate")
    told = [person.render(budget=60, count_tokens=lambda text: len(text.split())) for person in people]
    questions = [f"I {item.text[:1].lower()}{item.text[1:]} How accurate is this?" for item in items[:10]]
    chats = [(Message("system", who), Message("user", question)) for who in told for question in questions]
    assert len(chats) == 200
    asked = [ScoreRequest(chat, answers, prefill="It is") for chat in chats]
    next_token = [GenerateRequest(chat, Sampling(temperature=0.0, max_tokens=1)) for chat in chats]

    async def of(reference: str):
        model = open_model(reference, cache="off")
        try:
            scores = [s for k in range(0, 200, 10) for s in await model.score_options(asked[k : k + 10])]
            first = [(await model.generate(r)).text for r in next_token]
            return np.array([s.logprobs for s in scores]), first
        finally:
            await model.close()

    ours, our_first = asyncio.run(of("smollm2"))
    theirs, their_first = asyncio.run(of("hf:smollm2"))
    assert np.abs(ours - theirs).max() < 0.002
    assert (ours.argmax(1) == theirs.argmax(1)).all()
    pairs = [(i, j) for i in range(5) for j in range(i)]
    gaps = np.array([[row[i] - row[j] for i, j in pairs] for row in theirs])
    own = np.array([[row[i] - row[j] for i, j in pairs] for row in ours])
    clear = np.abs(gaps) > 0.02
    assert (np.sign(own[clear]) == np.sign(gaps[clear])).mean() >= 0.98
    assert np.mean([a == b for a, b in zip(our_first, their_first, strict=True)]) >= 0.9


def test_reading_stops_after_the_last_block_that_was_asked_for(folders) -> None:
    async def use(model: HfModel):
        asked = [GenerateRequest(CHAT)]
        whole = (await model.activations(asked, [Site(0), Site(0, "heads"), Site(2)]))[0].values[:, :1]
        ran: list[int] = []
        for block, module in enumerate(model._engine.opened().blocks):
            module.register_forward_pre_hook(lambda m, a, block=block: ran.append(block))
        early = (await model.activations(asked, [Site(0)]))[0].values
        assert ran == [0]
        assert np.array_equal(early, whole)
        ran.clear()
        await model.activations(asked, [Site(1, "heads"), Site(0)])
        assert ran == [0, 1]
        assert (await model.generate(GenerateRequest(CHAT, GREEDY))).completions[0].tokens == 12  # all of it runs again

    using(folders(), use)
