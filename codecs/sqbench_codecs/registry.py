"""Names to lazy targets: one registry mechanism for codecs and for metrics.

A registry holds entries, each with a ``target`` (``"module:attribute"``) that is imported only
when asked for. Third parties add entries through Python entry points, or a user names a local
file (``./my_codec.py:MyCodec``). Two entries of one name are an error, never an overwrite.
"""

from __future__ import annotations

import difflib
import importlib
import operator
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any, Generic, Protocol, TypeVar

from sqbench_codecs import local
from sqcodec.errors import InputError

_FEW = 30  # names that a message can list
_MODULE = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


class Entry(Protocol):
    """What a registry needs to know of an entry."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...


E = TypeVar("E", bound=Entry)


class Registry(Generic[E]):
    """Entries by name and alias.

    Args:
        kind: what the entries are (``codec``), for messages.
        group: entry-point group of third-party entries; each entry point names an entry, a list
            of entries, or an object that ``adopt`` turns into one.
        builtin: gives the project's own entries; called once, at first use.
        adopt: turns whatever a third party exposes (a class) into an entry; the second argument
            is the name it was found under, the third the ``settings`` that identify its source.
        made: makes the entry of a name that describes it (``dac-24k@8``) instead of being listed;
            ``None`` for a name of another kind.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        builtin: Callable[[], Iterable[E]],
        adopt: Callable[[Any, str, dict[str, str]], E],
        made: Callable[[str], E | None] = lambda name: None,
    ) -> None:
        self.kind, self.group, self._made = kind, group, made
        self._builtin, self._adopt = builtin, adopt
        self._entries: dict[str, E] = {}
        self._aliases: dict[str, str] = {}
        # Held by whoever fills the registry; others wait, as half a registry knows no names.
        self._lock = threading.RLock()
        self._loaded = self._loading = False
        self.problems: list[str] = []

    def add(self, entry: E) -> None:
        """Register an entry.

        Raises:
            InputError: its name or one of its aliases is taken.
        """
        for name in (entry.name, *entry.aliases):
            if name in self._entries or name in self._aliases:
                raise InputError(
                    f"{self.kind} {name!r}",
                    expected="a name that is not taken",
                    found=f"it already names {self._aliases.get(name, name)!r}",
                    remedy="Rename one of the two.",
                )
        self._entries[entry.name] = entry
        self._aliases.update(dict.fromkeys(entry.aliases, entry.name))

    def names(self) -> list[str]:
        """Every canonical name, in registration order."""
        self._load()
        return list(self._entries)

    def __iter__(self) -> Iterator[E]:
        self._load()
        return iter(list(self._entries.values()))

    def check(self, name: str) -> None:
        """See that there is an entry called ``name``, without running anybody's file.

        Raises:
            InputError: there is none.
        """
        if found := local.split(name):
            local.existing(self.kind, name, found[0])
        elif not _MODULE.fullmatch(name):
            self.get(name)

    def get(self, name: str) -> E:
        """The entry called ``name``: a name, an alias, ``file.py:Name`` or ``module:Name``.

        Raises:
            InputError: there is none; suggests the nearest names.
        """
        self._load()
        if found := local.split(name):
            return self._from_file(name, *found)
        if module := _MODULE.fullmatch(name):
            return self._from_module(name, *module.groups())
        for each in (name, name.lower()):
            each = self._aliases.get(each, each)
            if each in self._entries:
                return self._entries[each]
        if made := self._made(name):
            return made
        if name.endswith(".py"):
            local.no_class(self.kind, name)
        known = [*self._entries, *self._aliases]
        raise InputError(
            f"unknown {self.kind} {name!r}", remedy=self._suggestion(name.lower(), known)
        )

    def _suggestion(self, name: str, known: Sequence[str]) -> str:
        """What may have been meant: points of a family, near names, or where to look."""
        start = f"{name}-"
        points = [each for each in self._entries if each.startswith(start)]
        points = points or [each for each in known if each.startswith(start)]
        if points:
            shown = ", ".join(points[:3]) + (", ..." if len(points) > 3 else "")
            every = f"`sqbench {self.kind}s` lists them"
            if self.kind == "codec":
                every = f"`sqbench codecs {name}` lists them, {name}-* means them all"
            return f"{name} has {len(points)}: {shown} ({every})."
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if near:
            return f"Did you mean {' or '.join(near)}? `sqbench {self.kind}s` lists all."
        if len(self._entries) <= _FEW:
            return f"Known: {', '.join(self._entries)}."
        return f"`sqbench {self.kind}s` lists all {len(self._entries)}."

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            # A plug-in that asks while it is imported here sees what there is so far.
            if self._loaded or self._loading:
                return
            self._loading = True
            before = dict(self._entries), dict(self._aliases)
            try:
                self._fill()
                self._loaded = True
            except BaseException:
                self._entries, self._aliases = before
                raise
            finally:
                self._loading = False

    def _fill(self) -> None:
        for entry in self._builtin():
            self.add(entry)
        for point in entry_points(group=self.group):
            # A broken plug-in must not take the tool down: it is listed, and its name stays free.
            try:
                found = point.load()
                for item in found if isinstance(found, list | tuple) else [found]:
                    owner = (
                        {"distribution": f"{point.dist.name} {point.dist.version}"}
                        if (point.dist)
                        else {}
                    )
                    self.add(self._adopt(item, point.name, owner))
            except Exception as error:
                self.problems.append(
                    f"{self.kind} plug-in {point.name!r} ({point.value}): "
                    f"{type(error).__name__}: {error}"
                )

    def _from_file(self, name: str, file: str, attribute: str) -> E:
        path = local.existing(self.kind, name, file)
        module, sha256 = local.load(path)
        if not hasattr(module, attribute):
            raise InputError(
                f"{self.kind} {name!r}",
                expected=f"{attribute!r} defined in {path}",
                found="no such name there",
            )
        return self._adopt(getattr(module, attribute), attribute, {"file_sha256": sha256})

    def _from_module(self, name: str, module: str, attribute: str) -> E:
        try:
            found = getattr(local.load_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{self.kind} {name!r}",
                expected="a module that can be imported from here, and a name in it",
                found=str(error),
                remedy="Give a file as path/to/file.py:ClassName.",
            ) from error
        return self._adopt(found, attribute, {"module": module})


def resolve(target: str) -> Any:
    """Import ``"module:attribute"``, where the attribute may be dotted."""
    module, _, attribute = target.partition(":")
    return operator.attrgetter(attribute)(importlib.import_module(module))
