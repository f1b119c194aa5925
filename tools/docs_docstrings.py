"""What the reference reads in docstrings where our form is not the parser's (`mkdocs.yml`)."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):  # type: ignore[misc]  # griffe is in .venv-docs alone
    """``Example:`` is a section of code, as ``Examples:`` is, and not a remark."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute that is read."""
        if obj.docstring:
            value = obj.docstring.value
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", value, flags=re.M)
