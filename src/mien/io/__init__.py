"""Kedro dataset classes of the project; the catalog names each by its module, to import only what a run needs."""
