"""Parameters of ``softmax_regression``."""

from pydantic import Field

from mien.nodes.params import MOST_PIXELS, Mean, Params, Std


class SoftmaxRegressionModelParams(Params):
    """Arguments of ``mien.models.softmax_regression.SoftmaxRegression``."""

    image_size: int = Field(ge=1, le=MOST_PIXELS)
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Std, Std, Std]
