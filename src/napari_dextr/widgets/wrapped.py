"""Text over several lines that is never cut off."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel


class WrappedLabel(QLabel):
    """A label that wraps its words and insists on the height this takes, also deep inside nested layouts."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)

    def setText(self, text: str) -> None:
        """Show another text, at the height it needs."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # Qt counts it in, so that it would never shrink
        self.setMinimumHeight(max(self.heightForWidth(self.width()), 0))
