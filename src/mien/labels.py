"""Names of the classes that the datasets annotate, in one canonical order.

Every table, model output and figure of the project counts classes in this order. Readers map a dataset's own codes to
it.
"""

EXPRESSIONS: tuple[str, ...] = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral", "contempt")
"""The seven expressions in RAF-DB's order (its label n is class n - 1), then FER+'s eighth, contempt."""

RAF_DB_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of RAF-DB basic, class id = position.

Source: RAF-DB ``EmoLabel/list_patition_label.txt``, labels 1 to 7.
"""

SFEW_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of SFEW 2.0, which names them in words, class id = position: networks trained on RAF-DB fit it."""

EXPRESSION_SPELLINGS: dict[str, str] = {
    **{name: name for name in EXPRESSIONS},
    "surprised": "surprise",
    "fearful": "fear",
    "afraid": "fear",
    "disgusted": "disgust",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
}
"""Name of an expression by its spellings in the datasets, in lower case.

Source: folder names of RAF-DB's and SFEW's copies and the words of their papers.
"""

EMOTIONS: tuple[str, ...] = EXPRESSIONS[:6]
"""The six basic emotions, which USTC-NVIE and SPOS elicit or have posed."""

KINDS: tuple[str, ...] = ("posed", "spontaneous")
"""Whether an expression was made on request or came by itself, class id = position."""

FERPLUS_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS
"""The classes of FER+, class id = position; its files name them in another order, neutral first."""

GENDERS: tuple[str, ...] = ("male", "female")
"""UTKFace's codes 0 and 1, which Kaggle's age, gender and ethnicity CSV keeps."""

ETHNICITIES: tuple[str, ...] = ("white", "black", "asian", "indian", "others")
"""UTKFace's codes 0 to 4, which Kaggle's age, gender and ethnicity CSV keeps."""

RAVDESS_EMOTIONS: tuple[str, ...] = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""What RAVDESS' actors were asked for; its file names' code n is emotion n - 1. Calm is no expression of its own here.

Source: Zenodo record 1188976, which says fearful and surprised.
"""

RAVDESS_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of RAVDESS, class id = position; calm counts as neutral."""

CREMA_D_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[1:7]
"""The classes of CREMA-D, class id = position: it has no surprise."""
