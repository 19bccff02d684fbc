"""Models behind one protocol: open them by reference, record and cache what they say, fake and replay them.

Engines load when they are first named: importing this package imports neither an engine nor an HTTP client.
"""

from typing import TYPE_CHECKING, Any

from personae.models._cache import CacheInfo, CacheShrunk, ResponseCache, cache_path
from personae.models._cached import CachedModel, CacheMode
from personae.models._calls import CallLog, CallRecord
from personae.models._changes import (
    Anatomy,
    Change,
    Changeable,
    Flow,
    Part,
    Site,
    changeable,
)
from personae.models._embed import (
    Encoder,
    EncoderName,
    HashEncoder,
    SentenceEncoder,
    fetch_minilm,
    minilm_tokenizer_path,
    open_encoder,
)
from personae.models._fakes import EchoModel, ScriptedModel
from personae.models._keys import api_key, redact
from personae.models._neutral import Neutralised, neutralise
from personae.models._options import NORMALISATIONS, Normalisation, option_logits, option_probabilities
from personae.models._planted import Planted
from personae.models._prices import Bill, Price, price_of, user_prices
from personae.models._protocol import (
    Capability,
    Completion,
    Determinism,
    Embeddings,
    FinishReason,
    GenerateRequest,
    Generation,
    Image,
    Message,
    Model,
    OnText,
    OptionScores,
    Role,
    Sampling,
    ScoreRequest,
    Usage,
)
from personae.models._recorder import RecordedModel
from personae.models._reference import (
    KINDS,
    ModelKind,
    Reference,
    ShapeMode,
    open_model,
    parse_reference,
    wrap_model,
)
from personae.models._replay import ReplayModel, open_replay
from personae.models._static import StaticEncoder
from personae.models._statistical import StatisticalModel, learn, teach
from personae.models._structured import Structured, generate_json, read_json
from personae.models._telling import HeardModel
from personae.models._worlds import answer_probabilities, simulate_answers, simulate_dialogues
from personae.models._wrapper import ModelWrapper, capable, unwrap

if TYPE_CHECKING:
    from personae.models._admission import Admission, Limits
    from personae.models._gguf import GgufModel, loopback_server
    from personae.models._hf import Activations, ContentSpan, HfModel
    from personae.models._http import OpenAIModel
    from personae.models._tuning import Tuning, tune, tuning_file
    from personae.models._weights import get_weights, list_weights, models_dir, verify_weights, weights_path

__all__ = [
    "KINDS",
    "NORMALISATIONS",
    "Activations",
    "Admission",
    "Anatomy",
    "Bill",
    "CacheInfo",
    "CacheMode",
    "CacheShrunk",
    "CachedModel",
    "CallLog",
    "CallRecord",
    "Capability",
    "Change",
    "Changeable",
    "Completion",
    "ContentSpan",
    "Determinism",
    "EchoModel",
    "Embeddings",
    "Encoder",
    "EncoderName",
    "FinishReason",
    "Flow",
    "GenerateRequest",
    "Generation",
    "GgufModel",
    "HashEncoder",
    "HeardModel",
    "HfModel",
    "Image",
    "Limits",
    "Message",
    "Model",
    "ModelKind",
    "ModelWrapper",
    "Neutralised",
    "Normalisation",
    "OnText",
    "OpenAIModel",
    "OptionScores",
    "Part",
    "Planted",
    "Price",
    "RecordedModel",
    "Reference",
    "ReplayModel",
    "ResponseCache",
    "Role",
    "Sampling",
    "ScoreRequest",
    "ScriptedModel",
    "SentenceEncoder",
    "ShapeMode",
    "Site",
    "StaticEncoder",
    "StatisticalModel",
    "Structured",
    "Tuning",
    "Usage",
    "answer_probabilities",
    "api_key",
    "cache_path",
    "capable",
    "changeable",
    "fetch_minilm",
    "generate_json",
    "get_weights",
    "learn",
    "list_weights",
    "loopback_server",
    "minilm_tokenizer_path",
    "models_dir",
    "neutralise",
    "open_encoder",
    "open_model",
    "open_replay",
    "option_logits",
    "option_probabilities",
    "parse_reference",
    "price_of",
    "read_json",
    "redact",
    "simulate_answers",
    "simulate_dialogues",
    "teach",
    "tune",
    "tuning_file",
    "unwrap",
    "user_prices",
    "verify_weights",
    "weights_path",
    "wrap_model",
]

_LAZY = {
    "Activations": "_hf",
    "Admission": "_admission",
    "ContentSpan": "_hf",
    "GgufModel": "_gguf",
    "HfModel": "_hf",
    "Limits": "_admission",
    "OpenAIModel": "_http",
    "Tuning": "_tuning",
    "get_weights": "_weights",
    "list_weights": "_weights",
    "loopback_server": "_gguf",
    "models_dir": "_weights",
    "tune": "_tuning",
    "tuning_file": "_tuning",
    "verify_weights": "_weights",
    "weights_path": "_weights",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
