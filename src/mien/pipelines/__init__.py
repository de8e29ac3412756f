"""Kedro pipelines: one folder per dataset (`data_*`) and per system."""
