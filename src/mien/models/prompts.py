"""What the text side is requested: one prompt per class, and its words as token ids where there is no tokenizer."""

from collections.abc import Sequence

from mien.errors import MienError

PROMPTS: dict[str, str] = {
    "word": "{}",
    "phrase": "a face image of {}",
    "active": "this is a face image of {}",
    "passive": "a/an {} expression is shown in the image",
}
"""Prompts by kind, ``{}`` standing for the class name; "a/an" becomes the article that the name needs.

Source: FER-former, Table V, cases 2 to 5. Case 1, without text, is a model without a text side.
"""


def write_prompts(prompt: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """One prompt per class.

    Args:
        prompt: A kind of ``PROMPTS``, or a sentence of one's own with ``{}`` where the class name goes.
        class_names: Names of the M classes, in label order.

    Returns:
        M prompts, in the same order.

    Raises:
        MienError: Neither a kind nor a sentence with one ``{}``.

    Example:
        >>> write_prompts("passive", ("angry", "sad"))
        ('an angry expression is shown in the image', 'a sad expression is shown in the image')
    """
    sentence = PROMPTS.get(prompt, prompt)
    if sentence.count("{}") != 1:
        raise MienError(
            f"prompt {prompt!r} is neither a kind nor a sentence with one {{}} for the class name. "
            f"Use {', '.join(PROMPTS)}, or such as 'a photo of a {{}} face'."
        )
    return tuple(_with_article(sentence, name).replace("{}", name) for name in class_names)


def _with_article(sentence: str, name: str) -> str:
    return sentence.replace("a/an", "an" if name[:1].lower() in "aeiou" else "a")


def word_tokens(prompts: Sequence[str], vocab_size: int) -> list[list[int]]:
    """Token ids of prompts, one per word, between a start and an end: what a text side without a tokenizer reads.

    Args:
        prompts: Texts; words are distinguished by spaces, without regard to case.
        vocab_size: V; start and end are V - 2 and V - 1 as in CLIP, words are numbered from 0 in alphabetical order.

    Raises:
        MienError: More different words than the vocabulary holds.

    Example:
        >>> word_tokens(("a sad face", "a face"), vocab_size=8)
        [[6, 0, 2, 1, 7], [6, 0, 1, 7]]
    """
    split = [prompt.lower().split() for prompt in prompts]
    numbers = {word: number for number, word in enumerate(sorted({word for words in split for word in words}))}
    if len(numbers) + 2 > vocab_size:
        raise MienError(
            f"the prompts have {len(numbers)} different words, and text_vocab_size {vocab_size} holds a start, an end "
            f"and {max(vocab_size - 2, 0)} words. Set text_vocab_size to {len(numbers) + 2} or more."
        )
    return [[vocab_size - 2, *(numbers[word] for word in words), vocab_size - 1] for words in split]
