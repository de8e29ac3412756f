"""Blocks that two or more models use. Import each from its own module."""
