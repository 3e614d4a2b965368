"""The Fine-tune dock widget: a model that learns from one's own objects. `FineTuneJob` does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ..errors import DextrError
from ..napari_io.preferences import read_preferences, use_folders
from .docks import ScrollDock, open_annotate
from .fine_tune_form import in_words
from .fine_tune_job import FineTuneJob
from .fine_tune_model import NewModel
from .fine_tune_progress import ProgressPanel
from .fine_tune_setup import SetupPage
from .fine_tune_verdict import VerdictPanel
from .fine_tune_work import Ended

if TYPE_CHECKING:
    import napari


class FineTuneWidget(ScrollDock):
    """Dock widget *Fine-tune*.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it in, and knows by the name that it should.
    job : FineTuneJob, optional
        Does the work; tests pass one with a training of their own.
    annotate : callable, optional
        Gives the Annotate widget of a viewer.
    """

    def __init__(
        self,
        napari_viewer: napari.Viewer,
        *,
        job: FineTuneJob | None = None,
        annotate: Callable[[Any], Any] = open_annotate,
    ) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        preferences = read_preferences()
        use_folders(preferences)
        self.job = FineTuneJob(self._viewer) if job is None else job
        self.model = NewModel(self._viewer, annotate)
        self._ended: Ended | None = None
        self._asked = False
        self.setup = SetupPage(self._viewer, self.job, preferences)
        self.offer, self.sources, self.form = self.setup.offer, self.setup.sources, self.setup.form
        self.message, self.start = self.setup.message, self.setup.start
        self.progress = ProgressPanel(str(self._viewer.theme))
        self.result = VerdictPanel()
        self._lay_out()
        self._connect()
        self._show_page(self.setup)
        self.job.look()
        self.destroyed.connect(self.job.close)  # together with the window

    # -- making ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        inside = QWidget()
        pages = QVBoxLayout(inside)
        for page in (self.setup, self.progress, self.result):
            pages.addWidget(page)
        pages.addStretch(1)
        self.setWidget(inside)

    def _connect(self) -> None:
        self.setup.started.connect(self._on_start)
        self.offer.resumed.connect(self._on_resume)
        self.offer.discarded.connect(lambda run: self._try(self.job.discard, run.path))
        job, progress, result = self.job, self.progress, self.result
        job.staged.connect(self._on_stage)
        job.updated.connect(self._on_updates)
        job.done.connect(self._on_done)
        job.unbegun.connect(
            lambda: self._on_end("Stopped before anything was learned; nothing of the training is left.", "warning")
        )
        job.failed.connect(lambda sentence: self._on_end(sentence, "error"))
        job.cancelled.connect(lambda: self._on_end("Cancelled. Nothing of the training is left.", "warning"))
        job.interrupted.connect(lambda: self._on_end("The training was interrupted; it can be resumed.", "warning"))
        progress.paused.connect(self._on_pause)
        progress.stopped.connect(self._on_stop)
        progress.cancelled.connect(self._on_cancel)
        for signal, action in (
            (result.used, self.model.use),
            (result.reverted, self.model.revert),
            (result.renamed, self.model.rename),
            (result.exported, self._export),
            (result.kept, self._keep),
            (result.dropped, self._drop),
        ):
            signal.connect(lambda *arguments, action=action: self._on_model(action, *arguments))
        result.again.connect(self._again)
        self._viewer.events.theme.connect(self._on_theme)

    # -- the training ---------------------------------------------------------------------------------------------

    def _on_start(self) -> None:
        self._begin("Preparing …")
        self.job.start(self.sources.wanted(), self.form.choices())

    def _on_resume(self, run: Any) -> None:
        self._begin(f"Going on with '{run.name}' …")
        self.job.resume(run)

    def _begin(self, sentence: str) -> None:
        self._asked = False
        self.setup.rest()
        self._show_page(self.progress)
        self.progress.begin(sentence)

    def _on_stage(self, sentence: str) -> None:
        if not self.job.paused:  # what ends the present stage may come after the click
            self.progress.say(sentence)

    def _on_updates(self, updates: list[Any]) -> None:
        for update in updates:
            self.progress.show_update(update)
        if not self._asked and not self.job.paused and not self.job.stopping:
            self.progress.say(f"{updates[-1].stage or 'Training'}. You can go on working in the viewer.")

    def _on_pause(self) -> None:
        self._asked = False
        if self.job.paused:
            self.job.go_on()
            self.progress.say("Going on …")
        else:
            self.job.pause()
            kept = "What was learned is on the disk." if self.job.learned else "Nothing was learned yet."
            self.progress.say(f"Paused after the present step. {kept}", "hint")
        self.progress.show_state(paused=self.job.paused, stopping=False)

    def _on_stop(self) -> None:
        self.job.stop()
        judged = "; the best model so far is judged" if self.job.learned else ""
        self.progress.say(f"Stopping{judged} …")
        self.progress.show_state(paused=False, stopping=True)

    def _on_cancel(self) -> None:
        """Ask once where there is something to lose."""
        lost = self.job.would_lose
        if lost and not self._asked:
            self._asked = True
            self.progress.say(
                f"{in_words(lost)} of training or more would be lost. Press Cancel again to throw them away, or Stop "
                "to keep what was learned.",
                "warning",
            )
            return
        self.job.cancel()
        self.progress.say("Cancelling …")
        for button in (self.progress.pause, self.progress.stop, self.progress.cancel):
            button.setEnabled(False)

    def _on_end(self, sentence: str, kind: str) -> None:
        """It ended without a result."""
        self._show_page(self.setup)
        self.setup.show_state()
        self.setup.say(sentence, kind)
        self.job.look()
        self.setup.look_again()

    def _on_done(self, ended: Ended) -> None:
        if ended.unmade:
            self._on_end("Stopped before there was a new model to keep; the training can be resumed.", "warning")
            return
        self._ended, self.job.seen = ended, ended.run
        self.model.take(ended.kept)
        self.result.show_verdict(*ended.verdict())
        self._show_page(self.result)
        self._show_model()

    # -- the new model --------------------------------------------------------------------------------------------

    def _on_model(self, action: Callable[..., Any], *arguments: Any) -> None:
        self._try(action, *arguments)
        if self._ended is not None:
            self._show_model()

    def _show_model(self) -> None:
        there = self.model.name is not None or (self._ended is not None and self._ended.outcome.tuned is not None)
        self.result.show_model(
            self.model.name, in_use=self.model.old is not None, old=self.model.old or "", there=there
        )

    def _export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Write the model to", f"{self.model.name}.safetensors", "Weights (*.safetensors)"
        )
        if path:
            written = self.model.export(path)
            self.result.say(f"Written to '{written.name}'.")

    def _keep(self) -> None:
        assert self._ended is not None
        self.model.take(self.job.keep(self._ended))

    def _drop(self) -> None:
        self.model.remove()
        self._again()

    def _forget(self) -> None:
        """A model that was kept is in the library by now; the folder of its training is not needed any more."""
        ended, self._ended = self._ended, None
        self.job.seen = None
        if ended is not None:
            self._try(self.job.discard, ended.run)

    def _again(self) -> None:
        """Back to the beginning."""
        self._forget()
        self.form.models.reload()
        self._show_page(self.setup)
        self.setup.refresh()
        self.job.look()

    def reload_models(self) -> None:
        """Models have come, gone, or got another name."""
        self.form.models.reload()

    # -- showing --------------------------------------------------------------------------------------------------

    def _try(self, action: Callable[..., Any], *arguments: Any) -> None:
        try:
            action(*arguments)
        except DextrError as error:
            shown = self.setup if self._ended is None else self.result
            shown.say(str(error), "error")

    def _show_page(self, page: QWidget) -> None:
        for other in (self.setup, self.progress, self.result):
            other.setVisible(other is page)

    def _on_theme(self, event: Any = None) -> None:
        self.progress.plot.set_theme(str(self._viewer.theme))

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.setup.look_again()

    # -- the end --------------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        self.setup.release()
        self._forget()
        self.job.close()
        self._viewer.events.theme.disconnect(self._on_theme)
