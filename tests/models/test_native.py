"""The engines under a GGUF model: C binding, scoring in numpy and in sequences, generation."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personae.core import InputError, MissingDependencyError, MissingError, ModelError
from personae.models import Sampling
from personae.models import _native as native
from personae.models._blas import blas_threads_known, one_blas_thread
from personae.models._dense import DenseEngine, dense_fits
from personae.models._generator import Generator
from personae.models._ggufile import read_header
from personae.models._sequences import SequenceEngine
from personae.models._tree import Prompt
from personae.models._weights import get_weights, weights_path

pytest.importorskip("xllamacpp")

PERSONA = (
    "You are Maren, 58, a retired nurse. You love your garden, worry about your grandchildren, are warm and organised, "
    "and rather shy with strangers. You answer questions about yourself honestly and briefly."
)
ITEMS = ("Am the life of the party.", "Feel little concern for others.", "Am always prepared.", "Get stressed easily.")
OPTIONS = (
    " very inaccurate",
    " moderately inaccurate",
    " neither accurate nor inaccurate",
    " accurate",
    " very accurate",
)
IDS = st.lists(st.integers(3, 40), min_size=1, max_size=12).map(tuple)
GROUPS = st.lists(st.builds(Prompt, IDS, st.lists(IDS, min_size=1, max_size=3).map(tuple)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def dense(tiny):
    engine = DenseEngine(read_header(tiny), context=256)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def sequences(tiny):
    engine = SequenceEngine(tiny, context=256)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def generator(tiny):
    engine = Generator(tiny, context=256)
    yield engine
    engine.close()


def plain(engine, prompts):
    """Every option on its own."""
    return [
        [engine.score([Prompt(p.ids, (option,))]).logprobs[0][0] for option in p.options] for p in prompts
    ]  # fmt: skip


# ---- the C binding ----


def test_only_the_pinned_release_is_spoken_to(monkeypatch):
    native.library.cache_clear()
    monkeypatch.setattr(native, "engine_version", lambda: "2027.1.1")
    with pytest.raises(ModelError, match=rf"2027\.1\.1 is installed.*pip install xllamacpp=={native.PINNED}"):
        native.library()
    monkeypatch.undo()
    assert native.library().llama_max_devices


def test_an_absent_engine_is_named(monkeypatch):
    monkeypatch.setattr(native, "ENGINE", "no-such-engine")
    with pytest.raises(MissingDependencyError, match=r"personae\[gguf\]"):
        native.engine_version()


def test_another_layout_is_refused():
    params = native.library().llama_context_default_params()
    native._check_defaults(params, native._CONTEXT_DEFAULTS)
    params.swa_full, params.n_batch = False, 7
    with pytest.raises(ModelError, match=r"laid out differently: \{'n_batch': 7, 'swa_full': False\}, expected"):
        native._check_defaults(params, native._CONTEXT_DEFAULTS)


def test_settings_are_read_back(tiny, monkeypatch):
    model = native.NativeModel(tiny)
    shape = native.Shape(context=256, batch=64, sequences=4, unified=True, outputs=64)
    native.NativeContext(model, shape).close()
    monkeypatch.setattr(native.NativeContext, "_check", _wrong_threads(native.NativeContext._check))
    with pytest.raises(ModelError, match=r"took other settings than were given: \{'n_threads': 1\}"):
        native.NativeContext(model, shape)
    model.close()


def _wrong_threads(check):
    def checked(self, params):
        params.n_threads = 3
        check(self, params)

    return checked


def test_a_broken_file_is_refused(tmp_path, tiny):
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:9000])
    with pytest.raises(ModelError, match=r"cannot load .*cut\.gguf"):
        native.NativeModel(tmp_path / "cut.gguf")


def test_closing_frees_and_may_be_repeated(tiny):
    for _ in range(3):
        engine = SequenceEngine(tiny, context=64)
        engine.close()
        engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.score([Prompt((3, 4), ((5,),))])


def test_threads_follow_the_machine(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    load = [0.4]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0], 0, 0))
    found = {}
    for load[0] in (0.4, 1.1, 2.2, 2.6):
        found[load[0]] = [native.default_threads(current) for current in (0, 1, 2)]
    assert found == {0.4: [2, 2, 2], 1.1: [1, 2, 2], 2.2: [1, 1, 2], 2.6: [1, 1, 1]}
    load[0] = 0.4
    monkeypatch.setenv("CI", "1")
    assert native.default_threads() == 1


@pytest.fixture
def machine_load(monkeypatch):
    """A machine of two cores whose load the test sets."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    load = [0.0]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0], 0, 0))
    return load


def test_a_reader_of_likelihoods_follows_the_load(tiny, machine_load):
    engine = SequenceEngine(tiny, context=64, threads=None)
    found = []
    for machine_load[0], threads in ((0.0, 2), (9.0, 1), (0.5, 2)):
        found.append(engine.score([Prompt((3, 4), ((5,), (6, 7)))]).logprobs[0])
        assert engine._engine.lib.llama_n_threads(engine._engine.pointer) == threads
    engine.close()
    np.testing.assert_allclose(found[1:], [found[0], found[0]], atol=1e-4)


def test_a_generator_keeps_its_threads_whatever_the_load(tiny, machine_load):
    made = []
    for threads in (1, 2):
        engine = Generator(tiny, context=128, threads=threads)
        for machine_load[0] in (0.0, 9.0, 0.5):
            engine.forget()
            made.append((threads, engine.generate(CHUNKS, SAMPLED, seed=3)))
            assert engine._engine.lib.llama_n_threads(engine._engine.pointer) == threads
        engine.close()
    assert len(set(made)) == 2


# ---- scoring ----


@given(GROUPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_group_scores_like_its_options_one_by_one(dense, prompts):
    np.testing.assert_allclose(
        np.concatenate([np.array(r) for r in dense.score(prompts).logprobs]),
        np.concatenate([np.array(r) for r in plain(dense, prompts)]),
        atol=1e-4,
    )


@given(GROUPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_engines_agree(dense, sequences, prompts):
    left, right = dense.score(prompts), sequences.score(prompts)
    assert left.computed == right.computed
    for a, b in zip(left.logprobs, right.logprobs, strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)


@pytest.mark.parametrize("name", ["dense", "sequences"])
def test_history_order_and_company_leave_no_trace(name, request):
    engine = request.getfixturevalue(name)
    rng = np.random.default_rng(3)
    trunk = tuple(rng.integers(3, 200, 60).tolist())
    options = ((7,), (7, 8), (7, 8, 9, 10), (11, 12))
    group = [Prompt((*trunk, *rng.integers(3, 200, k % 7 + 1).tolist()), options) for k in range(60)]
    first = engine.score(group)
    engine.score([Prompt((5, 6, 7), ((8,),))])
    assert engine.score(group) == first
    assert engine.score(list(reversed(group))).logprobs == tuple(reversed(first.logprobs))
    turned = [Prompt(p.ids, tuple(reversed(p.options))) for p in group]
    assert [tuple(reversed(r)) for r in engine.score(turned).logprobs] == list(first.logprobs)
    np.testing.assert_allclose(first.logprobs[:5], plain(engine, group[:5]), atol=0.02)


def test_probabilities_of_all_tokens_sum_to_one(dense, tiny):
    model = native.NativeModel(tiny, vocab_only=True)
    every = tuple((token,) for token in range(model.n_tokens))
    model.close()
    total = np.exp(dense.score([Prompt((5, 6, 7), every)]).logprobs[0]).sum()
    assert total == pytest.approx(1, abs=1e-5)


def test_threads_do_not_change_a_bit(tiny):
    rng = np.random.default_rng(5)
    trunk = tuple(rng.integers(3, 200, 40).tolist())
    group = [Prompt((*trunk, *rng.integers(3, 200, 9).tolist()), ((1, 2, 3), (4, 5))) for _ in range(50)]
    found = []
    engine = DenseEngine(read_header(tiny), context=256)
    for threads in (1, 2, 3):
        found.append(engine.score(group, threads))
    engine.close()
    assert found[0] == found[1] == found[2]


def test_blas_threads_come_back():
    if not blas_threads_known():
        pytest.skip("numpy uses a BLAS whose threads cannot be set")
    from personae.models._blas import _control

    control = _control()
    before = control.get()
    control.set(2)
    with one_blas_thread(), one_blas_thread():
        assert control.get() == 1
    assert control.get() == 2
    control.set(before)


def test_what_does_not_fit_is_refused(dense, sequences):
    for engine in (dense, sequences):
        with pytest.raises(ModelError, match=r"holds 301 tokens, the context holds 256"):
            engine.score([Prompt(tuple([5] * 300), ((6, 7),))])
        assert engine.score([Prompt(tuple([5] * 255), ((6, 7),))]).computed == 256


def test_the_numpy_engine_knows_what_it_can_run(tiny, write_tiny, tmp_path):
    assert dense_fits(read_header(tiny))
    assert not dense_fits(read_header(write_tiny(tmp_path / "q8.gguf", kind="Q8_0")))
    biased = read_header(write_tiny(tmp_path / "bias.gguf", bias=True))
    assert not dense_fits(biased)
    with pytest.raises(InputError, match="not a small Llama-family model"):
        DenseEngine(biased, context=64)


def test_a_tree_that_disagrees_with_plain_evaluation_is_refused(tiny):
    with pytest.raises(ModelError, match=r"differ by .* nats, at most -1 is expected"):
        SequenceEngine(tiny, context=64, tolerance=-1)


# ---- generation ----

CHUNKS = ((1, 60, 61, 62, 63, 2), (1, 70, 71, 2), (1, 80))
SAMPLED = Sampling(temperature=0.9, top_p=0.95, top_k=40, min_p=0.01, repeat_penalty=1.1, max_tokens=12)


def test_greedy_is_the_likeliest_token(generator, dense):
    made = generator.generate(CHUNKS, Sampling(temperature=0, max_tokens=1), seed=0).completion
    flat = tuple(t for chunk in CHUNKS for t in chunk)
    every = tuple((token,) for token in range(263))
    best = int(np.argmax(dense.score([Prompt(flat, every)]).logprobs[0]))
    assert made.text == generator._model.piece(best).decode("utf-8", "replace") != ""
    assert (made.tokens, made.finish_reason) == (1, "length")


def test_warm_and_cold_are_one(generator):
    rng = np.random.default_rng(11)
    talks = [[tuple(rng.integers(3, 250, 9).tolist()) for _ in range(6)] for _ in range(7)]
    calls = [(talk[: k + 1], 100 * n + k) for n, talk in enumerate(talks) for k in range(6)]

    def run(order, *, cold):
        found = {}
        for index in order:
            if cold:
                generator.forget()
            chunks, seed = calls[index]
            found[index] = generator.generate(chunks, SAMPLED, seed=seed)
        return found

    cold = run(range(len(calls)), cold=True)
    assert len({g.completion.text for g in cold.values()}) > 30
    for order in (range(len(calls)), reversed(range(len(calls))), rng.permutation(len(calls)).tolist()):
        warm = run(order, cold=False)
        assert {i: g.completion for i, g in warm.items()} == {i: g.completion for i, g in cold.items()}
        assert sum(g.prefilled for g in warm.values()) < sum(g.prefilled for g in cold.values())


def test_a_turn_costs_only_what_is_new(generator):
    generator.forget()
    assert generator.generate(CHUNKS, SAMPLED, seed=1).prefilled == 12
    assert generator.generate(CHUNKS, SAMPLED, seed=2).prefilled == 2
    assert generator.generate((*CHUNKS[:2], (1, 90, 91, 2), (1, 80)), SAMPLED, seed=2).prefilled == 6
    assert generator.generate(((5, 6, 7), *CHUNKS), SAMPLED, seed=2).prefilled == 15
    assert generator.generate(CHUNKS, SAMPLED, seed=3).prefilled == 2


def test_seed_decides(generator):
    texts = {generator.generate(CHUNKS, SAMPLED, seed=seed).completion.text for seed in range(6)}
    assert len(texts) > 3
    again = [generator.generate(CHUNKS, SAMPLED, seed=4) for _ in range(2)]
    assert again[0].completion == again[1].completion


def test_stop_strings_end_the_turn_and_stay_out(generator):
    whole = generator.generate(CHUNKS, Sampling(temperature=0, max_tokens=20), seed=0).completion
    assert whole.finish_reason in {"length", "stop"}
    assert len(whole.text) > 4
    cut = whole.text[3:5]
    made = generator.generate(CHUNKS, Sampling(temperature=0, max_tokens=20), seed=0, stop=("never there", cut))
    assert made.completion.text == whole.text[: whole.text.index(cut)]
    assert made.completion.finish_reason == "stop"


def test_limits_have_names(generator):
    assert generator.generate((), SAMPLED, seed=0).completion.finish_reason == "empty"
    made = generator.generate(((7,) * 250,), Sampling(temperature=0, max_tokens=99), seed=0).completion
    assert (made.finish_reason, made.tokens) in {("length", 6), ("stop", made.tokens)}
    with pytest.raises(ModelError, match=r"holds 256 tokens, the context holds 256"):
        generator.generate(((7,) * 256,), SAMPLED, seed=0)


def test_a_cancelled_call_leaves_nothing_behind(generator):
    fresh = generator.generate(CHUNKS, SAMPLED, seed=1).completion
    asked = iter([False, False, False, False, True])
    with pytest.raises(ModelError, match="cancelled"):
        generator.generate(CHUNKS, SAMPLED, seed=1, cancelled=lambda: next(asked))
    assert generator.generate(CHUNKS, SAMPLED, seed=1).completion == fresh


def test_repeat_penalty_is_the_published_one(generator):
    """Logits of seen tokens are divided by the penalty when positive, multiplied when negative (arXiv:1909.05858)."""
    changed = 0
    for start in range(40, 60):
        chunks = (tuple(range(start, start + 64)),)

        def first(penalty, chunks=chunks):
            sampling = Sampling(temperature=0, repeat_penalty=penalty, max_tokens=1)
            return generator.generate(chunks, sampling, seed=0).completion.text

        plain_text = first(1.0)
        logits = generator._engine.logits(1)[0].copy()
        seen = list(chunks[0])
        logits[seen] = np.where(logits[seen] > 0, logits[seen] / 2, logits[seen] * 2)
        expected = generator._model.piece(int(np.argmax(logits))).decode("utf-8", "replace")
        assert first(2.0) == expected
        changed += expected != plain_text
    assert changed > 2


def test_every_knob_of_sampling_does_what_it_says(generator, dense):
    flat = tuple(t for chunk in CHUNKS for t in chunk)
    logprobs = np.array(dense.score([Prompt(flat, tuple((token,) for token in range(263)))]).logprobs[0])
    order = np.argsort(-logprobs)
    pieces = [generator._model.piece(int(t)).decode("utf-8", "replace") for t in order]
    share = np.cumsum(np.exp(logprobs[order]))

    def drawn(**options):
        sampling = Sampling(**{"top_p": 1.0, "temperature": 1.0, "max_tokens": 1} | options)
        return {generator.generate(CHUNKS, sampling, seed=seed).completion.text for seed in range(80)}

    assert drawn(temperature=0.0) == drawn(top_k=1) == drawn(temperature=0.01) == {pieces[0]}
    assert drawn(top_k=2, temperature=3.0) == set(pieces[:2])
    inside = int(np.searchsorted(share, 0.6)) + 1
    assert drawn(top_p=0.6, temperature=1.0) <= set(pieces[:inside])
    kept = int((np.exp(logprobs[order] - logprobs[order[0]]) >= 0.5).sum())
    assert drawn(min_p=0.5, temperature=1.0) <= set(pieces[: max(1, kept)])
    assert len(drawn(temperature=5.0)) > 30
    draws = [generator.generate(CHUNKS, Sampling(temperature=1.0, top_p=1.0, max_tokens=1), seed=s) for s in range(400)]
    hits = sum(g.completion.text == pieces[0] for g in draws) / 400
    assert hits == pytest.approx(share[0], abs=4 * np.sqrt(share[0] * (1 - share[0]) / 400))


def test_our_own_time_per_token_is_small(generator, monkeypatch):
    monkeypatch.setattr(generator._engine, "run", lambda batch: None)

    class Constant:
        def next(self):
            return 70

    spent = []
    for _ in range(7):
        start = time.thread_time()
        generator._continue(0, 10, Constant(), 1000, ("stop here",), lambda: False)
        spent.append((time.thread_time() - start) / 1000)
    assert sorted(spent)[3] <= 0.0002


# ---- the embedded model ----


@pytest.fixture(scope="module")
def smollm2():
    try:
        get_weights("smollm2")
    except MissingError as error:
        pytest.skip(str(error))
    return weights_path("smollm2", "generate"), weights_path("smollm2", "score")


def _survey(tokenizer):
    def ids(text, *, special=False):
        return tuple(tokenizer.tokenize(text, special=special))

    head = (
        ids("<|im_start|>system\n", special=True) + ids(PERSONA) + ids("<|im_end|>\n<|im_start|>user\n", special=True)
    )
    tail = ids("<|im_end|>\n<|im_start|>assistant\n", special=True) + ids("It is")
    return [Prompt(head + ids(item) + tail, tuple(ids(option) for option in OPTIONS)) for item in ITEMS]


@pytest.mark.model
def test_embedded_model_scores_soundly(smollm2):
    engine = DenseEngine(read_header(smollm2[1]), context=2048)
    model = native.NativeModel(smollm2[1], vocab_only=True)
    group = _survey(model)
    scores = engine.score(group)
    naive = sum(len(p.ids) + len(o) - 1 for p in group for o in p.options)
    assert naive > 10 * scores.computed
    assert np.abs(np.array(scores.logprobs[:2]) - np.array(plain(engine, group[:2]))).max() < 1e-3
    capital = Prompt(tuple(model.tokenize("The capital of France is", special=False)), ())
    towns = tuple(tuple(model.tokenize(t, special=False)) for t in (" Paris", " London", " Berlin", " carrot"))
    found = engine.score([Prompt(capital.ids, towns)]).logprobs[0]
    assert sorted(found, reverse=True) == list(found) or max(found) == found[0]
    assert found[0] > -1.5
    assert found[3] < -8
    compiled = SequenceEngine(smollm2[1], context=2048)
    other = compiled.score(group)
    compiled.close()
    model.close()
    engine.close()
    assert other.computed == scores.computed
    assert np.abs(np.array(scores.logprobs) - np.array(other.logprobs)).max() < 0.03
    assert [int(np.argmax(r)) for r in scores.logprobs] == [int(np.argmax(r)) for r in other.logprobs]


@pytest.mark.model
def test_embedded_model_is_warm_as_cold(smollm2):
    engine = Generator(smollm2[0], context=1024)

    def ids(text, *, special=False):
        return tuple(engine._model.tokenize(text, special=special))

    system = ids("<|im_start|>system\n", special=True) + ids(PERSONA) + ids("<|im_end|>\n", special=True)
    asks = [
        (system, ids("<|im_start|>user\n", special=True) + ids(item) + ids("<|im_end|>\n", special=True),
         ids("<|im_start|>assistant\n", special=True))
        for item in ITEMS
    ]  # fmt: skip
    sampling = Sampling(max_tokens=10)
    cold = []
    for seed, chunks in enumerate(asks):
        engine.forget()
        cold.append(engine.generate(chunks, sampling, seed=seed))
    warm = [engine.generate(chunks, sampling, seed=seed) for seed, chunks in enumerate(asks)]
    engine.close()
    assert [g.completion for g in warm] == [g.completion for g in cold]
    assert sum(g.prefilled for g in warm) < 0.5 * sum(g.prefilled for g in cold)
    assert all("<|im_end|>" not in g.completion.text for g in warm)
