import pytest

from mien.labels import FERPLUS_EXPRESSIONS, RAF_DB_EXPRESSIONS
from mien.models.prompts import PROMPTS, word_tokens, write_prompts


@pytest.mark.parametrize(
    ("kind", "surprise", "happy"),
    [
        ("word", "surprise", "happy"),
        ("phrase", "a face image of surprise", "a face image of happy"),
        ("active", "this is a face image of surprise", "this is a face image of happy"),
        (
            "passive",
            "a surprise expression is shown in the image",
            "a happy expression is shown in the image",
        ),
    ],
)
def test_the_kinds_are_those_of_table_v(kind, surprise, happy):
    prompts = write_prompts(kind, RAF_DB_EXPRESSIONS)
    assert (prompts[0], prompts[3]) == (surprise, happy)
    assert len(prompts) == len(set(prompts)) == 7


def test_every_class_of_ferplus_has_a_prompt_in_label_order():
    assert [prompt.split()[-1] for prompt in write_prompts("phrase", FERPLUS_EXPRESSIONS)] == list(FERPLUS_EXPRESSIONS)


def test_the_passive_sentence_has_the_article_that_the_name_needs():
    assert write_prompts("passive", ("angry", "fear"))[0].startswith("an angry")


def test_a_sentence_of_ones_own_takes_the_names():
    assert write_prompts("a photo of a/an {} face", ("angry", "sad")) == (
        "a photo of an angry face",
        "a photo of a sad face",
    )


@pytest.mark.parametrize("prompt", ["sentence", "", "{} and {}"])
def test_what_is_no_kind_and_no_sentence_is_refused_with_the_kinds(prompt):
    with pytest.raises(ValueError, match=r"neither a kind nor a sentence with one \{\}.*Use word, phrase, active, pas"):
        write_prompts(prompt, RAF_DB_EXPRESSIONS)


@pytest.mark.parametrize("kind", PROMPTS)
def test_word_tokens_tell_prompts_apart_and_end_in_their_highest_id(kind):
    tokens = word_tokens(write_prompts(kind, RAF_DB_EXPRESSIONS), vocab_size=20)
    assert len({tuple(ids) for ids in tokens}) == 7
    for ids in tokens:
        assert ids[0] == 18
        assert ids[-1] == 19
        assert max(ids[1:-1]) < 18


def test_words_are_numbered_without_regard_to_case():
    assert word_tokens(("A face", "a Face"), vocab_size=4) == [[2, 0, 1, 3]] * 2


def test_a_vocabulary_that_is_too_small_is_refused_with_the_size_it_needs():
    with pytest.raises(ValueError, match=r"3 different words.*holds a start, an end and 2.*text_vocab_size to 5"):
        word_tokens(("a b c",), vocab_size=4)
