"""The layer language: a list of one-key maps over Keras layers -> a tree that can be walked.

Three words are ours: `repeat: N` with `layers`, `residual` (`layers`, `shortcut`), and `branches`
(a list of lists) with `merge`. A list may end with `head: none`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dlcli.spec import vocabulary
from dlcli.spec.arguments import check_arguments
from dlcli.spec.faults import Fault, Location, nearest, shown

SHORTCUTS, MERGES = ("auto", "identity", "conv"), ("concatenate", "add")
MOST_LAYERS = 5_000
WORDS = ("repeat", "residual", "branches")
_COMPANIONS = {"repeat": ("layers",), "residual": ("shortcut",), "branches": ("merge",)}


@dataclass(frozen=True)
class LayerNode:
    """One Keras layer: its entry in the vocabulary and the arguments that were given."""

    location: Location
    entry: vocabulary.Entry
    arguments: dict[str, Any]

    @property
    def place(self) -> Location:
        """Where to point when the layer itself is at fault."""
        return (*self.location, self.entry.name)

    def get(self, name: str) -> Any:
        """An argument, or its default."""
        return self.arguments.get(name, self.entry.arguments[name].default)


@dataclass(frozen=True)
class RepeatNode:
    """The same layers `times` over, each time with weights of their own."""

    word: ClassVar[str] = "repeat"
    location: Location
    times: int
    layers: tuple[Node, ...]


@dataclass(frozen=True)
class ResidualNode:
    """F(x) + x (He 2015); `shortcut` says what becomes of x where the shapes differ."""

    word: ClassVar[str] = "residual"
    location: Location
    layers: tuple[Node, ...]
    shortcut: str


@dataclass(frozen=True)
class BranchesNode:
    """Several lists of layers on the same input, joined by `merge`; an empty one is the input."""

    word: ClassVar[str] = "branches"
    location: Location
    branches: tuple[tuple[Node, ...], ...]
    merge: str


Node = LayerNode | RepeatNode | ResidualNode | BranchesNode


@dataclass(frozen=True)
class Network:
    """A parsed list; `has_head` says whether the classifier is added behind it."""

    nodes: tuple[Node, ...]
    has_head: bool = True

    @property
    def normalizes(self) -> bool:
        """Whether any layer rescales or normalizes what it sees."""
        kinds = {node.entry.name for node in _layers_of(self.nodes)}
        return any(kind == "rescaling" or kind.endswith("normalization") for kind in kinds)


def parse_layers(items: Sequence[Any], location: Location) -> tuple[Network, list[Fault]]:
    """The network that a list in the layer language says, and every fault in it."""
    parser = _Parser()
    has_head = not (items and items[-1] == {"head": "none"})
    nodes = parser.nodes(items if has_head else items[:-1], location)
    if not parser.faults and _count(nodes) > MOST_LAYERS:
        most = f"{MOST_LAYERS:,}"
        parser.faults.append(Fault(location, f"is {_count(nodes):,} layers; the limit is {most}"))
    return Network(nodes, has_head), parser.faults


def parse_augment(items: Sequence[Any], location: Location) -> tuple[list[LayerNode], list[Fault]]:
    """The augmentations that a list names, and every fault in it."""
    parser = _Parser(augmenting=True)
    nodes = parser.nodes(items, location)
    return [node for node in nodes if isinstance(node, LayerNode)], parser.faults


@dataclass
class _Parser:
    """Reads items, and goes on after a fault so that all are found."""

    augmenting: bool = False
    faults: list[Fault] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def nodes(self, items: Any, location: Location) -> tuple[Node, ...]:
        if not isinstance(items, list):
            self._fault(location, f"must be a list of layers, got {shown(items)}")
            return ()
        found = (self._node(item, (*location, number)) for number, item in enumerate(items))
        return tuple(node for node in found if node is not None)

    def _fault(self, location: Location, what: str) -> None:
        self.faults.append(Fault(location, what))

    def _node(self, item: Any, location: Location) -> Node | None:
        if isinstance(item, str):
            return self._layer(item, None, location, location)
        if not isinstance(item, dict) or not item:
            self._fault(location, f"must be a layer's name or a one-key map, got {shown(item)}")
            return None
        word = next((word for word in WORDS if word in item), None)
        if word is not None and not self.augmenting:
            self._refuse_others(item, (word, *_COMPANIONS[word]), location)
            return getattr(self, f"_{word}")(item, location)  # type: ignore[no-any-return]
        if len(item) > 1:
            self._fault(location, self._crowded(item))
            return None
        [(kind, arguments)] = item.items()
        return self._layer(kind, arguments, location, (*location, kind))

    def _crowded(self, item: dict[str, Any]) -> str:
        """Most often the arguments stand below the layer's name without more indentation."""
        first, *others = item
        entry = vocabulary.find(self._entries(), first)
        fix = "write each layer behind a dash of its own"
        if entry is not None and set(others) <= set(entry.arguments):
            fix = f"indent the arguments of {first} more than its name"
        return f"holds {len(item)} keys ({', '.join(item)}): {fix}"

    def _entries(self) -> dict[str, vocabulary.Entry]:
        return vocabulary.augmentations() if self.augmenting else vocabulary.layers()

    def _refuse_others(
        self, item: dict[str, Any], known: Sequence[str], location: Location
    ) -> None:
        for key in item:
            if key not in known:
                what = f"is no setting of {known[0]}.{nearest(key, known)}"
                self._fault((*location, key), what)

    def _layer(
        self, kind: str, arguments: Any, item: Location, location: Location
    ) -> LayerNode | None:
        entry = vocabulary.find(self._entries(), kind)
        if entry is None:
            self._fault(location, self._unknown(kind))
            return None
        checked, faults = check_arguments(entry, arguments, location)
        self.faults += faults
        name = checked.get("name")
        if name in self.names:
            self._fault((*location, "name"), f"must be another one: {name!r} was given before")
        elif name:
            self.names.add(name)
        return LayerNode(item, entry, checked)

    def _unknown(self, kind: str) -> str:
        if self.augmenting:
            if vocabulary.find(vocabulary.layers(), kind):
                return "is a layer of a network: it belongs under model.layers"
            refused = vocabulary.unknown_layer(kind)
            if not refused.startswith("is no layer"):
                return refused
            hint = nearest(kind, list(vocabulary.augmentations()))
            return f"is no augmentation: got {kind!r}.{hint}"
        if kind == "head":
            return "must be none and the last item of model.layers: it leaves the classifier out"
        if kind in ("layers", "shortcut", "merge"):
            owner = next(word for word, others in _COMPANIONS.items() if kind in others)
            return f"stands alone: it belongs to {owner}, in the same item"
        return vocabulary.unknown_layer(kind)

    def _repeat(self, item: dict[str, Any], location: Location) -> RepeatNode:
        times = item["repeat"]
        if type(times) is not int or not 1 <= times <= MOST_LAYERS:
            what = f"must be a whole number from 1 to {MOST_LAYERS:,}, got {shown(times)}"
            self._fault((*location, "repeat"), what)
            times = 1
        return RepeatNode(location, times, self._inner(item, location))

    def _residual(self, item: dict[str, Any], location: Location) -> ResidualNode:
        inside, below = item["residual"], (*location, "residual")
        if isinstance(inside, dict):
            for key in inside:
                if key not in ("layers", "shortcut"):
                    what = f"is no setting of residual.{nearest(key, ('layers', 'shortcut'))}"
                    self._fault((*below, key), what)
            layers = self._inner(inside, below)
        else:
            layers = self._filled(inside, below)
        options = {**item, **inside} if isinstance(inside, dict) else item
        if isinstance(inside, dict) and "shortcut" in inside and "shortcut" in item:
            self._fault((*location, "shortcut"), "is given twice: leave one out")
        where = below if isinstance(inside, dict) and "shortcut" in inside else location
        shortcut = self._choice(options, "shortcut", SHORTCUTS, where)
        return ResidualNode(location, layers, shortcut)

    def _branches(self, item: dict[str, Any], location: Location) -> BranchesNode:
        lists, below = item["branches"], (*location, "branches")
        if not isinstance(lists, list) or len(lists) < 2:
            self._fault(below, f"must be a list of two or more lists of layers, got {shown(lists)}")
            lists = []
        branches = tuple(self.nodes(one, (*below, number)) for number, one in enumerate(lists))
        if branches and not any(branches) and not self.faults:
            self._fault(below, "must hold a layer in one of its lists")
        return BranchesNode(location, branches, self._choice(item, "merge", MERGES, location))

    def _inner(self, item: dict[str, Any], location: Location) -> tuple[Node, ...]:
        if "layers" not in item:
            hint = " Did you mean layers?"
            told = (fault.location[:-1] for fault in self.faults if fault.what.endswith(hint))
            if location not in told:
                self._fault(location, "needs layers: a list of layers")
            return ()
        return self._filled(item["layers"], (*location, "layers"))

    def _filled(self, items: Any, location: Location) -> tuple[Node, ...]:
        if items == []:
            self._fault(location, "must hold a layer")
        return self.nodes(items, location)

    def _choice(
        self, item: dict[str, Any], key: str, known: Sequence[str], location: Location
    ) -> str:
        value = item.get(key, known[0])
        if value not in known:
            listed = f"{', '.join(known[:-1])} or {known[-1]}"
            what = f"must be {listed}, got {shown(value)}.{nearest(str(value), known)}"
            self._fault((*location, key), what)
            return known[0]
        return str(value)


def _layers_of(nodes: Sequence[Node]) -> Iterator[LayerNode]:
    for node in nodes:
        match node:
            case LayerNode():
                yield node
            case BranchesNode():
                for branch in node.branches:
                    yield from _layers_of(branch)
            case _:
                yield from _layers_of(node.layers)


def _count(nodes: Sequence[Node]) -> int:
    """The layers that the tree stands for, repeats unrolled."""
    total = 0
    for node in nodes:
        match node:
            case LayerNode():
                total += 1
            case RepeatNode():
                total += node.times * _count(node.layers)
            case ResidualNode():
                total += 2 + _count(node.layers)
            case BranchesNode():
                total += 1 + sum(_count(branch) for branch in node.branches)
    return total
