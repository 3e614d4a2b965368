"""What of a session no file has as it is now: the work that is lost if nobody keeps it.

Whoever writes a file takes the `moment` at which it begins to read, and tells it when the file is there. What has
changed since that moment is not taken for saved.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import Change
    from .session import Session

_MOMENTS = itertools.count(1)


def moment() -> int:
    """A number for now. It is larger than all before it in this process, and tells which of two things came first."""
    return next(_MOMENTS)


@dataclass
class Rest:
    """What no file has of one label image. It is true where there is something.

    Attributes
    ----------
    changed : dict of int to int
        Labels whose object or pixels have changed since a file got them, and the `moment` of their last change.
    objects : set of int
        Those of them that are accepted objects.
    deleted : set of int
        Those of them whose object a file has, though it is deleted.
    painted : bool
        Whether pixels that were painted or erased by hand lie in the image.
    filed : set of int
        Labels of objects that were saved here, in their present state or an earlier one.
    fresh : set of int
        Labels of objects that were made here, or by a session that this one goes on with: no file had them before.
    """

    changed: dict[int, int] = field(default_factory=dict)
    objects: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    painted: bool = False
    filed: set[int] = field(default_factory=set)
    fresh: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        by_hand = self.painted and not self.changed.keys() <= self.objects | self.deleted
        return bool(self.objects or self.deleted or by_hand)

    @property
    def clean(self) -> set[int]:
        """Labels of objects that were saved here and have not changed since then."""
        return self.filed - self.changed.keys()

    def save(self, began: int) -> set[int]:
        """Note that a file has what was there at a `moment`; returns labels of objects that are saved by that."""
        done = {label for label, when in self.changed.items() if when < began}
        saved = self.objects & done
        self.filed |= self.objects  # of those that have changed since then it has an earlier state
        self.filed -= self.deleted & done
        self.objects -= done
        self.deleted -= done
        for label in done:
            del self.changed[label]
        return saved


class Unsaved:
    """What no file has of each label image of a session.

    Objects that a label image held before, with their record, count once they are changed. Classes and marks do not
    count.

    Parameters
    ----------
    session : Session
        Objects that it has accepted by now count as unsaved.

    Attributes
    ----------
    rests : dict of hashable to Rest
        By label image.
    """

    def __init__(self, session: Session) -> None:
        self.rests: dict[Hashable, Rest] = {}
        self._session = session
        for key, target in session.targets.items():
            self._mark(key, [label for label, item in target.objects.items() if not target.only_adopted(item)])

    @property
    def objects(self) -> int:
        """Number of accepted objects."""
        return sum(len(rest.objects) for rest in self.rests.values())

    def __bool__(self) -> bool:
        return any(self.rests.values())

    def follow(self, change: Change) -> None:
        """Take in what was just done, undone or redone."""
        self.rests.pop(change.gone, None)
        for key, labels in change.objects.items():
            self._mark(key, labels)

    def take_over(self, key: Hashable, rest: Rest) -> None:
        """Add what an earlier session left unsaved in a label image that this one goes on with."""
        mine = self.rests.setdefault(key, Rest())
        mine.filed |= rest.filed
        mine.fresh |= rest.fresh  # they lie in the record of the image by now, but that is no file
        self._mark(key, rest.changed)

    def recovered(self, key: Hashable, saved: Collection[int] = ()) -> None:
        """Note that a whole label image comes from a journal, which goes away.

        Parameters
        ----------
        key : hashable
        saved : collection of int
            Labels of objects that a file has as they are.
        """
        rest, objects = self.rests.setdefault(key, Rest()), self._session.targets[key].objects
        for label in objects.keys() & saved:  # of a journal that begins with this they may count as changed already
            rest.filed.add(label)
            rest.objects.discard(label)
            rest.changed.pop(label, None)
        self._mark(key, [0, *(objects.keys() - saved)])  # 0: pixels that belong to no object

    def _mark(self, key: Hashable, labels: Iterable[int]) -> None:
        target = self._session.targets.get(key)
        if target is None:
            return
        rest = self.rests.setdefault(key, Rest())
        others = False
        for label in labels:
            rest.changed[label] = moment()
            if label in target.objects:
                rest.objects.add(label)
                rest.deleted.discard(label)
                if label not in rest.filed and not target.held(label):
                    rest.fresh.add(label)
                continue
            others = True
            rest.objects.discard(label)
            if label in rest.filed or (target.held(label) and label not in rest.fresh):
                rest.deleted.add(label)
        if others:
            rest.painted = next(target.painted(), None) is not None
