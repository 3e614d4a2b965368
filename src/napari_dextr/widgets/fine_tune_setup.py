"""Before a training: what to learn from, which model, and what is still missing. A part of the Fine-tune widget."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..models.naming import tidy_name
from ..napari_io.preferences import Preferences
from ..napari_io.viewer_events import LayerEvents
from .export_parts import MessagePanel
from .fine_tune_form import FineTuneForm
from .fine_tune_job import FineTuneJob
from .fine_tune_offer import OfferPanel
from .fine_tune_sources import SourcesPanel

_AGAIN = 3000  # milliseconds until a training of another program is looked at again
_PAUSE = 400  # milliseconds without a change before the objects are looked at again
_WATCHED = ("paint", "data", "features", "labels_update")  # events of a layer after which there may be other objects
_HINT = "Annotate some ten objects, tick their layer above, and press Start."


class SetupPage(QWidget):
    """Interrupted trainings, objects, form, a sentence, and the button.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    job : FineTuneJob
    preferences : Preferences

    Signals
    -------
    started
        The user wants what is chosen here.
    """

    started = Signal()

    def __init__(self, viewer: Any, job: FineTuneJob, preferences: Preferences) -> None:
        super().__init__()
        self._viewer = viewer
        self.job = job
        self.survey: Any = None
        self._news = False  # what is said stays until something else is chosen
        self._layers = LayerEvents(renamed=self.refresh, edited=self._on_edited, edits=_WATCHED)
        self.offer = OfferPanel()
        self.sources = SourcesPanel(viewer)
        self.form = FineTuneForm(preferences.model, preferences.device)
        self.message = MessagePanel()
        self.start = QPushButton("Start")
        self._timer = _single(self, _PAUSE, self._survey_now)
        self._looking = _single(self, _AGAIN, job.look)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.offer, self.sources, self.form, self.message, self.start):
            column.addWidget(widget)
        self.sources.changed.connect(self._on_chosen)
        self.form.changed.connect(self._on_form)
        self.form.costs_changed.connect(self._estimate)
        self.form.models.chosen.connect(lambda *_: self._timer.start())  # whose own drawings are doubtful
        self.start.clicked.connect(self.started)
        job.surveyed.connect(self._on_surveyed)
        job.unusable.connect(self._on_unusable)
        job.estimated.connect(self.form.show_estimate)
        job.found.connect(self._on_found)
        for event in self._layer_events():
            event.connect(self.refresh)
        self.refresh()

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered

    def look_again(self) -> None:
        """Look at the objects anew, after a pause."""
        self._timer.start()

    def rest(self) -> None:
        """There is something else to do than to look at the objects."""
        self._timer.stop()

    def release(self) -> None:
        """Let go of the viewer."""
        self._timer.stop()
        self._looking.stop()
        self._layers.release()
        for event in self._layer_events():
            event.disconnect(self.refresh)

    def _on_found(self, runs: list[Any]) -> None:
        """Trainings were interrupted, or are under way elsewhere: in another napari, or here until it has noticed."""
        self.offer.show_runs(runs)
        if any(run.busy for run in runs):
            self._looking.start()

    def refresh(self, event: Any = None) -> None:
        """Layers have come, gone, moved or got another name."""
        self._layers.follow(self._viewer.layers)
        self.sources.pairs.refresh()
        self._on_chosen()

    def _on_edited(self, event: Any = None) -> None:
        self._timer.start()

    def _on_form(self) -> None:
        self._news = False
        self.show_state()

    def _on_chosen(self) -> None:
        self._news = False
        self.survey = None
        self.form.show_estimate(None)
        self.form.propose(self._proposal())
        self.show_state()
        self._timer.start()

    def _proposal(self) -> str:
        """Name of a new model: that of the image, or of the file, that it learns from."""
        wanted = self.sources.wanted()
        names = [str(image.name) for _, image in wanted.pairs] + [file.path.stem for file in wanted.files]
        return tidy_name(names[0]) if names else ""

    def _survey_now(self) -> None:
        """Survey the objects, unless nobody sees what is found."""
        wanted = self.sources.wanted()
        if not wanted or self.job.busy or not self.isVisible():
            self._show_survey()
            return
        if self.survey is None:
            self.sources.survey.say("Looking at the objects …")
        self.job.survey(wanted, self.form.models.source)

    def _on_surveyed(self, survey: Any) -> None:
        self.survey = survey
        self._show_survey()
        self.show_state()
        self._estimate()

    def _on_unusable(self, sentence: str) -> None:
        self.survey = None
        self.sources.survey.say(sentence, refused=True)
        self.show_state()

    def _show_survey(self) -> None:
        survey, left = self.survey, self.sources.without_image()
        doubts = [f"'{name}' has no image of its size and is left out; choose one beside it." for name in left]
        if survey is None:
            self.sources.survey.say("", doubts)
        else:
            self.sources.survey.say(survey.sentence(), [*doubts, *survey.doubts], refused=survey.refusal is not None)

    def _estimate(self) -> None:
        if self.survey is not None and self.survey.refusal is None and not self.job.busy:
            self.job.estimate(self.form.choices(), self.survey.distinct)

    def say(self, sentence: str, kind: str) -> None:
        """Say something that stays until something else is chosen."""
        self._news = True
        self.message.say(sentence, kind)

    def show_state(self) -> None:
        """What is still missing, or that all is ready."""
        ready = self.survey is not None and self.survey.refusal is None
        self.start.setEnabled(ready and not self.job.busy)
        if self._news:
            return
        if not self.sources.wanted():
            self.message.say(_HINT if self._viewer.layers else "Open an image and annotate some objects first.")
        elif self.survey is not None and self.survey.refusal is not None:
            self.message.say("These objects cannot be learned from yet; see above.", "warning")
        elif ready:
            self.message.say("Ready. A new model is made; the one it starts from stays as it is.")
        else:
            self.message.say("Looking at the objects …" if self.job.surveying else _HINT)


def _single(parent: QWidget, pause: int, action: Any) -> QTimer:
    """A timer that fires once, some milliseconds after its last start."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(pause)
    timer.timeout.connect(action)
    return timer
