"""White-box steering: read activations, learn directions, change what a model does, measure where it stands.

Runs on torch weights (`hf:…`); added vectors also on GGUF files. Importing this room imports no torch.
"""

from personae.steering._calibrate import (
    Calibration,
    Strength,
    calibrate,
    log_likelihood,
    percentile_thresholds,
    perplexity_ratio,
    steered,
)
from personae.steering._directions import Direction, by_name, load_directions, save_directions
from personae.steering._drift import DriftPoint, drift
from personae.steering._extract import Extracted, Reading, Spans, Tokens, block_sites, extract, model_identity, stream
from personae.steering._files import Layout, export_gguf, import_caps, import_directions
from personae.steering._geometry import (
    Alignment,
    SplitHalf,
    align,
    align_among,
    axes_for,
    contrast_axis,
    persona_space,
    split_half_cosine,
)
from personae.steering._learn import Learned, Method, learn_direction, random_directions
from personae.steering._operations import (
    Ablate,
    Add,
    Ceil,
    Floor,
    Head,
    HeadShift,
    Operation,
    Scope,
    Threshold,
    When,
    clamps,
)
from personae.steering._probes import HeadProbe, head_shift, probe_heads, split_heads
from personae.steering._questions import OPEN_QUESTIONS

__all__ = [
    "OPEN_QUESTIONS",
    "Ablate",
    "Add",
    "Alignment",
    "Calibration",
    "Ceil",
    "Direction",
    "DriftPoint",
    "Extracted",
    "Floor",
    "Head",
    "HeadProbe",
    "HeadShift",
    "Layout",
    "Learned",
    "Method",
    "Operation",
    "Reading",
    "Scope",
    "Spans",
    "SplitHalf",
    "Strength",
    "Threshold",
    "Tokens",
    "When",
    "align",
    "align_among",
    "axes_for",
    "block_sites",
    "by_name",
    "calibrate",
    "clamps",
    "contrast_axis",
    "drift",
    "export_gguf",
    "extract",
    "head_shift",
    "import_caps",
    "import_directions",
    "learn_direction",
    "load_directions",
    "log_likelihood",
    "model_identity",
    "percentile_thresholds",
    "perplexity_ratio",
    "persona_space",
    "probe_heads",
    "random_directions",
    "save_directions",
    "split_half_cosine",
    "split_heads",
    "steered",
    "stream",
]
