"""How each score is named and printed."""

import math

SCORE_NAMES = {
    "accuracy": "Accuracy, %",
    "mean_class_accuracy": "Mean class accuracy, %",
    "macro_f1": "Macro F1, %",
    "auroc": "AUROC",
    "error_rate": "Error, %",
    "errors": "Errors",
    "mae_years": "MAE, years",
}
"""With the unit in which each is printed."""

MISSING = "-"
"""Stands where there is no number."""

_IN_PERCENT = ("accuracy", "mean_class_accuracy", "macro_f1", "error_rate")


def printed_unit(score: str) -> tuple[float, int]:
    """What a score is multiplied by to be printed, and the digits behind its point."""
    if score in _IN_PERCENT:
        return 100, 2  # as the papers print
    return 1, {"auroc": 3, "errors": 1}.get(score, 2)  # errors are a mean over seeds


def shown(value: float, score: str) -> str:
    """A score as it is printed; errors that are a whole number, as of one run, without a point.

    Example:
        >>> shown(0.9117, "accuracy"), shown(0.9843, "auroc"), shown(float("nan"), "auroc")
        ('91.17', '0.984', '-')
        >>> shown(356.0, "errors"), shown(228.5, "errors")
        ('356', '228.5')
    """
    unit, digits = printed_unit(score)
    if score == "errors" and value.is_integer():
        digits = 0
    return MISSING if math.isnan(value) else f"{unit * value:.{digits}f}"
