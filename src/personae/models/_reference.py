"""Reference strings: `kind:rest` names a model, and never holds a secret.

    smollm2                    the embedded model (weights cached by `personae models get smollm2`)
    gemma3-270m                a base model of another family (`personae models get gemma3-270m`, licence of its own)
    gguf:PATH                  any GGUF file, in process
    hf:PATH                    a Hugging Face model folder, in process, in float32 torch
    hf:smollm2, hf:gemma3-270m the same in float32 torch (made from their weights on first use)
    openai:NAME@URL            an OpenAI-compatible endpoint; without @URL the hosted API
    openai:NAME@URL1,URL2      several servers of one model: calls are balanced over them
    fake:scripted|statistical|echo
    none                       no model: for work that asks none
    replay:RUN_DIR             answers from the call log of a run
    replay:RUN_DIR#REFERENCE   the same, when the run used several models

A plug-in adds kinds with the entry-point group `personae.model`, or with `KINDS.add(name, ModelKind(...))`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from personae.core import InputError, Registry
from personae.models._cache import ResponseCache
from personae.models._cached import CachedModel, CacheMode
from personae.models._calls import CallLog
from personae.models._fakes import EchoModel, ScriptedModel
from personae.models._keys import MASK, redact
from personae.models._nobody import NoModel
from personae.models._protocol import Model
from personae.models._recorder import RecordedModel
from personae.models._replay import ReplayModel, open_replay
from personae.models._statistical import StatisticalModel

ShapeMode: TypeAlias = Literal["exact", "batched"]
"""`exact`: one canonical shape, same answers at any concurrency; `batched`: faster, promises replay only."""

_CACHE_MODES: Final = ("read_write", "off", "refresh", "replay")
_SECRET_NAMES: Final = re.compile(r"key|token|secret|sig(nature)?$|auth|password|credential", re.IGNORECASE)
_FAKES: Final[dict[str, Callable[[], Model]]] = {
    "scripted": ScriptedModel,
    "statistical": StatisticalModel,
    "echo": EchoModel,
}


@dataclass(frozen=True, slots=True)
class ModelKind:
    """One kind of reference.

    Attributes:
        form: how a reference of this kind is written, for messages and help.
        about: one line for people.
        open: makes the bare adapter from what follows the colon, and the shape mode.
        cacheable: False where answering is cheaper than looking up, or depends on tags.
        local: True where it runs on this machine, so that nobody is paid by the token.
    """

    form: str
    about: str
    open: Callable[[str, ShapeMode], Model]
    cacheable: bool = True
    local: bool = True


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference, split at its first colon."""

    kind: str
    rest: str


KINDS: Final[Registry[ModelKind]] = Registry("model")


def parse_reference(reference: str) -> Reference:
    """Split `reference` and look its kind up.

    Raises:
        InputError: nobody knows the kind (the nearest is suggested), or the reference holds a secret.
    """
    if redact(reference) != reference:
        raise InputError(
            f"the model reference {redact(reference)!r} holds a key.",
            hint="Put the key into PERSONAE_API_KEY (or OPENAI_API_KEY); references are written into every run.",
        )
    kind, _, rest = reference.strip().partition(":")
    if kind not in KINDS.names():
        near = difflib.get_close_matches(kind.lower(), KINDS.names(), n=1, cutoff=0.5)
        forms = ", ".join(KINDS.get(name).form for name in KINDS)
        hint = f"Did you mean {KINDS.get(near[0]).form!r}? " if near else ""
        shown = reference.rpartition("@")[2] if "@" in reference else reference
        raise InputError(f"there is no kind of model {kind!r} (in {_safe(shown)!r}).", hint=f"{hint}Known: {forms}.")
    return Reference(kind, rest)


def open_model(
    reference: str,
    *,
    cache: CacheMode = "read_write",
    cache_path: Path | str | None = None,
    log: CallLog | None = None,
    mode: ShapeMode = "exact",
) -> Model:
    """The model that `reference` names, behind cache and recorder.

    Args:
        reference: see the module's docstring.
        cache: what to do with the user-level response cache. Fakes and replays are never cached.
        cache_path: another cache file.
        log: where to record every call.
        mode: shape of computation on local engines.

    Raises:
        InputError: the reference names nothing, or holds a secret.
        MissingError: what it needs is not installed or fetched.
        VersionError: the cache file is of another version.

    >>> open_model("fake:scripted").reference
    'fake:scripted'
    """
    if mode not in {"exact", "batched"}:
        raise InputError(f"mode is {mode!r}, expected 'exact' or 'batched'.")
    if cache not in _CACHE_MODES:
        raise InputError(f"cache is {cache!r}, expected one of {', '.join(_CACHE_MODES)}.")
    parsed = parse_reference(reference)
    kind = KINDS.get(parsed.kind)
    model = kind.open(parsed.rest, mode)
    return wrap_model(model, cache=cache if kind.cacheable else "off", cache_path=cache_path, log=log)


def wrap_model(
    model: Model,
    *,
    cache: CacheMode = "off",
    cache_path: Path | str | None = None,
    log: CallLog | None = None,
) -> Model:
    """Put cache and recorder around a bare adapter. Fakes and replays are never cached: see `ModelKind.cacheable`."""
    if cache != "off" and _cacheable(model):
        model = CachedModel(model, ResponseCache(cache_path), cache)
    return model if log is None else RecordedModel(model, log)


def _cacheable(model: Model) -> bool:
    return not isinstance(model, ReplayModel) and model.fingerprint.get("kind") not in {"fake", "none"}


def check_url(url: str) -> str:
    """`url` if it is fit for a reference.

    Raises:
        InputError: it is not http(s), names no host, or carries a user name, a password or a key.
    """
    try:
        parts = urlsplit(url)
        secret = parts.username is not None or parts.password is not None
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"the endpoint URL {_safe(url)!r} is malformed.") from error
    # The messages below never repeat a secret.
    if secret or any(_SECRET_NAMES.search(name) for name in names):
        raise InputError(
            f"the endpoint URL {_safe(url)!r} carries a secret.",
            hint="Put the key into PERSONAE_API_KEY (or OPENAI_API_KEY) and leave it out of the URL.",
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError(
            f"the endpoint URL is {_safe(url)!r}, expected http:// or https:// and a host.",
            hint="Example: openai:my-model@http://127.0.0.1:8080/v1",
        )
    return url


def _safe(url: str) -> str:
    """A URL fit to be shown: user information and the values of its query masked."""
    shown = re.sub(r"(?<=//)[^/@]*@", f"{MASK}@", url)
    return redact(re.sub(r"([?&#][^=&#]*=)[^&#]*", rf"\1{MASK}", shown))


def _open_fake(rest: str, mode: ShapeMode) -> Model:
    del mode
    if rest not in _FAKES:
        near = difflib.get_close_matches(rest, _FAKES, n=1)
        hint = f"Did you mean 'fake:{near[0]}'?" if near else f"Known: {', '.join(f'fake:{n}' for n in _FAKES)}."
        raise InputError(f"there is no fake model {rest!r}.", hint=hint)
    return _FAKES[rest]()


def _open_openai(rest: str, mode: ShapeMode) -> Model:
    del mode
    from personae.models._http import DEFAULT_URL, OpenAIModel

    name, at, url = rest.partition("@http")
    if not at and "@" in rest and re.search(r"[:/.]|localhost", rest.rpartition("@")[2]):
        given = _safe(f"//{rest.rpartition('@')[2]}")[2:]
        raise InputError(
            f"the endpoint URL is {given!r}, expected http:// or https:// and a host.",
            hint="Example: openai:my-model@http://127.0.0.1:8080/v1",
        )
    urls = [check_url(part) for part in f"http{url}".split(",")] if at else [DEFAULT_URL]
    if not name:
        raise InputError("the reference names no model.", hint="Write openai:NAME@URL, or openai:NAME.")
    return OpenAIModel(name, urls)


def _open_encoder(rest: str, mode: ShapeMode) -> Model:
    del mode
    from personae.models._encoder_model import open_encoder_model

    return open_encoder_model(rest)


def _open_replay(rest: str, mode: ShapeMode) -> Model:
    del mode
    if not rest:
        raise InputError("the reference 'replay:' names no run folder.", hint="Write replay:RUN_DIR.")
    folder, _, model = rest.rpartition("#")
    if folder and not Path(rest).exists():
        return open_replay(folder, model)
    return open_replay(rest)


def _open_gguf(rest: str, mode: ShapeMode) -> Model:
    path = Path(rest).expanduser()
    if not rest or not path.is_file():
        raise InputError(f"there is no GGUF file at {rest!r}.", hint="Write gguf:PATH, the path of a .gguf file.")
    from personae.models._gguf import GgufModel

    return GgufModel(reference=f"gguf:{rest}", generate_path=path, score_path=path, mode=mode)


def _open_hf(rest: str, mode: ShapeMode) -> Model:
    from personae.models._hf import HfModel
    from personae.models._weights import KNOWN

    if rest in KNOWN:
        from personae.models._hf_convert import dequantised_folder

        return HfModel(f"hf:{rest}", dequantised_folder(rest), mode=mode)
    path = Path(rest).expanduser()
    if not rest or not path.is_dir():
        raise InputError(
            f"there is no model folder at {rest!r}.",
            hint=f"Write hf:PATH, a folder that save_pretrained wrote, or hf: and one of {', '.join(KNOWN)}.",
        )
    return HfModel(f"hf:{rest}", path, mode=mode)


def _open_none(rest: str, mode: ShapeMode) -> Model:
    del mode
    if rest:
        raise InputError(f"'none' takes nothing after it, got {rest!r}.", hint="Write none, or the model you mean.")
    return NoModel()


def _open_known(name: str) -> Callable[[str, ShapeMode], Model]:
    def opened(rest: str, mode: ShapeMode) -> Model:
        from personae.models._weights import weights_path

        if rest:
            raise InputError(f"{name!r} takes nothing after it, got {rest!r}.", hint=f"Write {name}, or gguf:PATH.")
        generate, score = weights_path(name, "generate"), weights_path(name, "score")
        from personae.models._gguf import GgufModel

        return GgufModel(reference=name, generate_path=generate, score_path=score, mode=mode)

    return opened


for _name, _about in (
    ("smollm2", "the embedded 135M chat model, in process"),
    ("gemma3-270m", "a 268M base model of another family, in process; its licence has to be accepted"),
):
    KINDS.add(_name, ModelKind(_name, _about, _open_known(_name)))
KINDS.add("gguf", ModelKind("gguf:PATH", "any GGUF file, in process", _open_gguf))
KINDS.add("hf", ModelKind("hf:PATH", "a Hugging Face model folder, in float32 torch", _open_hf))
KINDS.add("openai", ModelKind("openai:NAME@URL", "an OpenAI-compatible endpoint", _open_openai, local=False))
KINDS.add(
    "fake",
    ModelKind("fake:scripted|statistical|echo", "scripted and statistical models", _open_fake, cacheable=False),
)
KINDS.add("none", ModelKind("none", "no model: for work that asks none", _open_none, cacheable=False))
KINDS.add("encoder", ModelKind("encoder:minilm|hash|auto", "a sentence encoder: vectors alone", _open_encoder))
KINDS.add("replay", ModelKind("replay:RUN_DIR", "the calls of a recorded run", _open_replay, cacheable=False))
