"""Pure text functions: tokens, overlap and echo, near-duplicates, retrieval, closing cues, guards, QA scanners, style.

Everything here is a function of its arguments alone: no model, no file except package data, no randomness. Texts may
hold any code point, lone surrogates included.
"""

from __future__ import annotations

from personae.text._banding import BandCounts, banded_pairs
from personae.text._closing import CueKind, CueMatch, closing_cue
from personae.text._closing_data import ClosingItem, CueEvaluation, evaluate_closing_cues, load_closing_cues
from personae.text._contacts import ContactKind, ContactSpan, Redaction, find_contacts, passes_iban, passes_luhn, redact
from personae.text._guards import DegenerateReason, StuckReason, is_degenerate, is_stuck, near_identical, trailing_loop
from personae.text._hashing import hash_text
from personae.text._leaks import PromptLeak, ai_identity_leak, control_tokens, prompt_leak
from personae.text._neighbours import (
    MinHashPair,
    SimHashIndex,
    SimHashPair,
    hamming,
    jaccard_estimate,
    minhash_many,
    minhash_pairs,
    simhash,
    simhash_many,
    simhash_near,
    simhash_pairs,
)
from personae.text._overlap import (
    Missing,
    TextScore,
    compression_ratio,
    copy_share,
    directional_copy,
    distinct_n,
    is_echo,
    jaccard,
    longest_common_substring,
    longest_common_substring_ratio,
    self_repetition,
    type_token,
)
from personae.text._refusals import Refusal, RefusalKind, machine_remark, refusal, reply_refusal
from personae.text._retrieval import BM25, tfidf_similarity
from personae.text._roles import Role, RoleSwap, SwapKind, role_swap
from personae.text._shingles import (
    ShingleCounts,
    Shingles,
    join_shingles,
    pair_jaccard,
    shingle_bands,
    shingle_batches,
    shingle_minhash,
    shingle_sets,
)
from personae.text._style import STYLE_FEATURES, cosine, standardise, style_vector
from personae.text._tokens import TextSpan, char_ngrams, ngrams, normalise, sentence_spans, sentences, word_spans, words

__all__ = [
    "BM25",
    "STYLE_FEATURES",
    "BandCounts",
    "ClosingItem",
    "ContactKind",
    "ContactSpan",
    "CueEvaluation",
    "CueKind",
    "CueMatch",
    "DegenerateReason",
    "MinHashPair",
    "Missing",
    "PromptLeak",
    "Redaction",
    "Refusal",
    "RefusalKind",
    "Role",
    "RoleSwap",
    "ShingleCounts",
    "Shingles",
    "SimHashIndex",
    "SimHashPair",
    "StuckReason",
    "SwapKind",
    "TextScore",
    "TextSpan",
    "ai_identity_leak",
    "banded_pairs",
    "char_ngrams",
    "closing_cue",
    "compression_ratio",
    "control_tokens",
    "copy_share",
    "cosine",
    "directional_copy",
    "distinct_n",
    "evaluate_closing_cues",
    "find_contacts",
    "hamming",
    "hash_text",
    "is_degenerate",
    "is_echo",
    "is_stuck",
    "jaccard",
    "jaccard_estimate",
    "join_shingles",
    "load_closing_cues",
    "longest_common_substring",
    "longest_common_substring_ratio",
    "machine_remark",
    "minhash_many",
    "minhash_pairs",
    "near_identical",
    "ngrams",
    "normalise",
    "pair_jaccard",
    "passes_iban",
    "passes_luhn",
    "prompt_leak",
    "redact",
    "refusal",
    "reply_refusal",
    "role_swap",
    "self_repetition",
    "sentence_spans",
    "sentences",
    "shingle_bands",
    "shingle_batches",
    "shingle_minhash",
    "shingle_sets",
    "simhash",
    "simhash_many",
    "simhash_near",
    "simhash_pairs",
    "standardise",
    "style_vector",
    "tfidf_similarity",
    "trailing_loop",
    "type_token",
    "word_spans",
    "words",
]
