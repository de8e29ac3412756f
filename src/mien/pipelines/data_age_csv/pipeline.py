"""The pipeline ``data_age_csv``."""

from kedro.pipeline import Pipeline

from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_age_csv.nodes import provide_age_csv, read_listed


def create_pipeline() -> Pipeline:
    """The CSV file → listed faces, divided → samples table → packed grey faces at 48 px.

    No split is published, so the report has no published counts; the step ``read`` compares those of the whole file.
    """
    return face_dataset_pipeline(
        "age_csv",
        provide=provide_age_csv,
        read=read_listed,
        published={},
        column="ethnicity_name",
        crops={48: "grey"},
    )
