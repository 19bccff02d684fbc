"""The embedded models as Hugging Face folders: dequantised once into the cache, loaded from there ever after.

$PERSONAE_HOME/models/NAME/hf/    config.json, tokenizer.json, model.safetensors in float32
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, Final

from personae.core import MissingDependencyError
from personae.models._hf_net import quietly
from personae.models._weights import locked, models_dir, weights_path

_FOLDER: Final = "hf"
_log: Final = logging.getLogger(__name__)


def dequantised_folder(name: str) -> Path:
    """The folder of an embedded model, made from its F16 copy if it is not there yet (about 20 s and 540 MB).

    Raises:
        UnknownKeyError: no such model.
        MissingWeightsError: its weights have not been fetched.
        MissingDependencyError: torch, transformers, accelerate or gguf is not installed.
        DiskFullError: not enough room.
    """
    source = weights_path(name, "score")
    folder = models_dir() / name
    target = folder / _FOLDER
    if target.is_dir():
        return target
    with locked(folder):
        if target.is_dir():
            return target
        _log.info("writing %s as a Hugging Face folder, once", name)
        with tempfile.TemporaryDirectory(prefix=".hf-", dir=folder) as scratch:
            draft = Path(scratch) / _FOLDER
            _convert(source, draft)
            draft.rename(target)
    return target


def _convert(source: Path, target: Path) -> None:
    try:
        import accelerate as _accelerate
        import gguf as _gguf
        import torch
        import transformers
    except ImportError as error:
        raise MissingDependencyError.of(error.name or "torch", "torch") from error
    del _accelerate, _gguf  # transformers needs them
    # The converter draws a progress bar of its own on standard error.
    with quietly(), redirect_stderr(StringIO()):
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            str(source.parent), gguf_file=source.name, dtype=torch.float32
        )
        config = loaded.config
        # A model that was loaded from such a file refuses to be saved as what it now is.
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        plain: Any = transformers.AutoModelForCausalLM.from_config(config)
        plain.load_state_dict(loaded.state_dict())
        plain.tie_weights()
        plain.save_pretrained(str(target), safe_serialization=True)
        tokenizer.save_pretrained(str(target))
