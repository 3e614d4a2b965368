"""The offer to go on with what an earlier session, or a layer that was removed, left behind."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QGridLayout, QLabel

from ..session.recovery import Found
from ..words import number_of
from .panels import make_button


class RecoveryPanel(QFrame):
    """The offer to recover a session; hidden while there is nothing to offer."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.recover = make_button("Recover", "Write the objects into a Labels layer, and bring back the points")
        self.forget = make_button("Throw away", "Remove the saved session for good")
        self.another = make_button("Another session", "Offer the next session; this one stays on offer")
        grid = QGridLayout(self)
        grid.addWidget(self.text, 0, 0, 1, 2)
        grid.addWidget(self.recover, 1, 0)
        grid.addWidget(self.forget, 1, 1)
        grid.addWidget(self.another, 2, 0, 1, 2)
        self.hide()

    def show_found(self, found: list[Found]) -> None:
        """Show the first session of those that were found, and how many others there are."""
        self.setVisible(bool(found))
        self.another.setVisible(len(found) > 1)
        if found:
            others = len(found) - 1
            more = (
                f" There {'is' if others == 1 else 'are'} {number_of(others, 'other session')} too." if others else ""
            )
            self.text.setText(f"{_sentence(found[0])}{more}")


def _sentence(found: Found) -> str:
    when = found.changed.astimezone().strftime("%d %B, %H:%M")
    left = found.objects - found.saved
    were = "was" if left == 1 else "were"
    if found.ended and found.run and not found.removed:
        what = f"found {number_of(left, 'object')}" if left else "made changes"
        return f"{found.run} {what} on {when}, that {were} not exported."
    if found.ended:
        what = f"{number_of(left, 'object')} that {were} not exported" if left else "changes that were not exported"
        end = "Labels were removed" if found.removed else "Annotate was closed"
        return f"{end} on {when}, with {what}."
    done = "while an object was marked here"
    if found.objects:
        here = f"found by {found.run}" if found.run else "annotated here" if left else "annotated"
        done = f"with {number_of(found.objects, 'object')} {here}{'' if left else ' and exported here'}"
    exported = f", {found.saved:,} of them exported" if found.saved and left else ""
    return f"napari ended unexpectedly on {when}, {done}{exported}."
