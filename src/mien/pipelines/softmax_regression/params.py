"""Parameters of ``softmax_regression``."""

from pydantic import Field

from mien.nodes.params import Params


class SoftmaxRegressionModelParams(Params):
    """Arguments of ``mien.models.softmax_regression.SoftmaxRegression``."""

    image_size: int = Field(ge=1)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
