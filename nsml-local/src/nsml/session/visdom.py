"""`nsml.Visdom`: graphs of the visdom library, where it is installed and its server runs."""

from __future__ import annotations

import sys
from typing import Any


class Visdom:
    """Like `visdom.Visdom(**kwargs)`. Where visdom is not installed, or no server answers, every method does nothing.

    Args:
        visdom: the module `visdom`, imported where it is None.
        kwargs: for `visdom.Visdom`.
    """

    def __init__(self, visdom: Any = None, **kwargs: Any) -> None:
        self._real = None
        try:
            if visdom is None:
                import visdom  # type: ignore[no-redef,import-not-found]
            self._real = visdom.Visdom(**kwargs)
        except Exception as error:
            print(
                f"nsml.Visdom: nothing is drawn ({type(error).__name__}: {error}); nsml.report keeps values",
                file=sys.stderr,
            )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._real is not None:
            return getattr(self._real, name)
        return lambda *args, **kwargs: None
