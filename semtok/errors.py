"""The one exception that people are meant to see."""


class SemtokError(Exception):
    """What was wrong, where (file, field, row) and what to do, in one line.

    The command line prints its text alone; `--debug` adds the traceback.
    """
