"""Node functions and pipeline templates that several pipelines share."""
