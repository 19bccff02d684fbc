"""What must not show in a persona's words: the model's own identity, its prompt, its chat template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from personae.text._tokens import TextSpan, check_positive, word_spans


@dataclass(frozen=True, slots=True)
class PromptLeak(TextSpan):
    """A stretch of the text copied from `prompts[prompt]`, `words` words long."""

    prompt: int
    words: int


_MACHINE: Final = (
    r"(?:(?:large |big |helpful |friendly |virtual |digital |mere |simple |intelligent |text-based |conversational )*"
    r"(?:AI|A\.I\.|artificial intelligence|language model|LLM|chat ?bot|bot|AI[- ](?:assistant|model|system"
    r"|chatbot|companion|program)"
    r"|AI(?:-based|-powered)? (?:language |virtual |digital )*(?:model|assistant|system|chatbot|program)"
    r"|artificial intelligence (?:model|assistant|system|program)|virtual assistant|digital assistant|computer "
    r"program|machine learning model"
    r"|machine|robot))"
)
_FOLLOWS: Final = (
    r"(?=\s*(?:$|[.,;:!?)\"”*—–-]|(?:and|but|so|who|that|which|I|without|here|created|made|built|trained"
    r"|developed|designed"
    r"|programmed|by|from|with no|not|with(?:out)? (?:a|any|feelings|the)|named|called|though|like me)\b))"
)
_PRODUCTS: Final = r"(?:ChatGPT|GPT-?[0-9][\w.]*|SmolLM[0-9]*|Qwen[0-9.]*|DeepSeek|Copilot|Phi-[0-9]|LLaMA)"
_NAMESAKES: Final = r"(?:Claude|Gemini|Bard|Llama|Mistral|Gemma|Grok)"
"""Products whose names people and animals bear too: these need "an AI" or a maker behind them."""

_MAKERS: Final = (
    r"(?:OpenAI|Anthropic|Google(?: DeepMind)?|Meta(?: AI)?|Microsoft|Alibaba(?: Cloud)?|DeepSeek|Mistral(?: AI)?"
    r"|Hugging ?Face|xAI)"
)
_IDENTITY: Final = re.compile(
    rf"(?i:\bas (?:just |only )?an? {_MACHINE}{_FOLLOWS})"
    rf"|(?i:\bI(?:'m| am)(?: just| only| actually| simply| merely| really| still)* (?:an? |the "
    rf")?{_MACHINE}{_FOLLOWS})"
    rf"|(?i:\b(?:I'm|I am|my name is|my name's) )(?:{_PRODUCTS}\b(?![ -]\w+(?:er|or)\b)"
    rf"|{_NAMESAKES},? (?=(?:an? (?:[a-z]+ )?(?:AI|language model|chatbot)"
    rf"|(?:created|trained|developed|made) by {_MAKERS})\b))"
    rf"|(?i:\bI (?:was|am|have been) (?:created|developed|trained|made|built|programmed|designed)(?: and \w+)?)"
    rf" (?i:by) {_MAKERS}\b"
    r"|(?i:\bI (?:was|am|have been) (?:trained|fine-tuned) on (?:a |large |vast |massive |lots of |huge "
    r")*(?:dataset|data|corpus|text|amounts?))"
    r"|(?i:\bmy (?:training data|knowledge cut-?off|training cut-?off|last (?:training|knowledge) update|system "
    r"prompt|developers at|underlying model)\b)"
    r"|(?i:\bI(?: do not|n't| don't| cannot| can't) (?:actually |really )?(?:have|experience|possess) (?:any "
    r")?(?:personal |human |real |physical )+"
    r"(?:feelings|emotions|experiences?|opinions|beliefs|body|form|preferences|life)\b)"
    r"|(?i:\bI(?: do not| don't) have (?:feelings|emotions|consciousness|a (?:physical )?body|a physical "
    r"form)\b[^.!?]{0,40}\b(?:like|as) (?:a )?humans?\b)"
    r"|(?i:\bmy (?:programming|algorithms?) (?:does|do|prevents?|allows?|is|are|won't)\b)"
)
_CONTROL: Final = re.compile(
    r"<[|｜][^<>|｜\n]{1,48}[|｜]>"
    r"|\[/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|ASSISTANT|USER|BOS|EOS|PAD|UNK|CLS"
    r"|SEP|MASK)\]|<</?SYS>>"
    r"|</?(?:s|bos|eos|pad|unk|mask|sep|cls|start_of_turn|end_of_turn|start_of_image|end_of_text|endoftext"
    r"|tool_call|tool_response|tools"
    r"|think|im_start|im_end|system|user|assistant)>"
    r"|<(?:start_of_turn|end_of_turn|extra_id_[0-9]{1,3}|unused[0-9]{1,3}|0x[0-9A-Fa-f]{2})>"
    r"|(?m:^[ \t]*#{2,4} ?(?:Human|Assistant|System|User|Instructions?|Response|Input|Output)\b ?:)"
    r"|(?m:^[ \t]*(?:Human|Assistant|System|User|USER|ASSISTANT|SYSTEM|HUMAN) ?:)"
)


def ai_identity_leak(text: str) -> list[TextSpan]:
    """Places where the speaker gives itself away as a language model ("as an AI …", "I'm a chatbot").

    Talk about machines ("I am an AI researcher", "the chatbot was slow") and denials ("I'm not a robot") do not count.
    English only.
    """
    plain = text.replace("’", "'")
    return [
        TextSpan(match.start(), match.end(), text[match.start() : match.end()]) for match in _IDENTITY.finditer(plain)
    ]


def prompt_leak(text: str, prompts: Sequence[str], min_words: int = 8) -> list[PromptLeak]:
    """Stretches of at least `min_words` words that `text` has word for word from one of `prompts`.

    Stretches of the same prompt do not overlap; punctuation and case are ignored. A prompt shorter than `min_words`
    words, but of at least half of that, counts when it is quoted in full.

    Raises:
        InputError: `min_words` is below 1.
    """
    check_positive("min_words", min_words)
    said = word_spans(text)
    leaks: list[PromptLeak] = []
    for number, prompt in enumerate(prompts):
        told = [span.text for span in word_spans(prompt)]
        size = min(min_words, len(told))
        if size < (min_words + 1) // 2:
            continue
        known = {tuple(told[i : i + size]) for i in range(len(told) - size + 1)}
        for first, last in _runs([span.text for span in said], known, size):
            start, end = said[first].start, said[last].end
            leaks.append(PromptLeak(start, end, text[start:end], number, last - first + 1))
    return sorted(leaks, key=lambda leak: (leak.start, leak.prompt))


def control_tokens(text: str) -> list[TextSpan]:
    """Chat-template tokens and turn headers in `text`.

    Finds `<|im_start|>`, `[INST]`, `<s>`, `<start_of_turn>`, `### Human:` and their kin, case as in the templates.
    A bare header (`Assistant:`) counts at the start of a line only.
    """
    return [TextSpan(match.start(), match.end(), match.group()) for match in _CONTROL.finditer(text)]


def _runs(said: Sequence[str], known: set[tuple[str, ...]], size: int) -> list[tuple[int, int]]:
    """First and last word of each maximal stretch that is covered by overlapping known runs of `size` words."""
    runs: list[tuple[int, int]] = []
    for place in range(len(said) - size + 1):
        if tuple(said[place : place + size]) not in known:
            continue
        last = place + size - 1
        if runs and place <= runs[-1][1]:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((place, last))
    return runs
