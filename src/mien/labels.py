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
