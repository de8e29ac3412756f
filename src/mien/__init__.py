"""mien: published facial-analysis systems that run, are compared and are trusted, as one Kedro project."""

__version__ = "0.2.0"
