"""Errors that the user can mend: what is wrong, where, and what to do."""


class MienError(ValueError):
    """A mistake in parameters, data or files; the command line prints its message without a traceback."""


class DivergedError(MienError, FloatingPointError):
    """Training or prediction gave numbers that are not finite."""
