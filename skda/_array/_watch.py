"""What stands in for a task of a fit that no callback watches.

Formulas take a function that opens a task for each of their rounds; this is its default.
"""


class Unwatched:
    """A task without callbacks: nothing is called, and nothing is kept."""

    stops = False
    """Whether a callback has asked for no further rounds."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def offer(self, attributes):
        """Drop the function that would say what has been learnt so far."""


_UNWATCHED = Unwatched()


def unwatched(*_, **__):
    """Return the task that nobody watches, whatever it is called."""
    return _UNWATCHED
