"""Kedro dataset classes of the project. The catalog names each by its module, so that only what a run needs is imported."""
