"""The picture of an evaluation."""

from __future__ import annotations

import imageio.v3
import numpy as np
import pytest

from napari_dextr.errors import OutputError
from napari_dextr.evaluation.plot import check_plot, write_plot


@pytest.fixture
def results(run, fake):
    changes = {"prompts": ("extreme", "box", "clicks"), "jitters": (0, 0.03), "corrections": 2, "noc": True}
    return [run(fake(mistake=0.4), **changes), run(fake(mistake=0.1, score=None), **changes)]


def test_all_panels_are_drawn(results, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    figures = []
    real = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kw: figures.append(self) or real(self, *args, **kw))
    write_plot(results, tmp_path / "a.png")
    picture = imageio.v3.imread(tmp_path / "a.png")
    assert picture.shape[0] > 600
    assert picture[..., :3].std() > 10
    (figure,) = figures
    shown = [axis for axis in figure.axes if axis.axison]
    assert len(shown) == 5
    first, jitters, corrections, clicks, scores = shown
    labels = [tick.get_text() for tick in first.get_yticklabels()]
    assert labels[:3] == ["extreme", "box", "clicks"]
    assert sorted(labels[3:]) == ["box", "ellipse"]
    np.testing.assert_allclose(jitters.lines[0].get_xdata(), [0, 3])
    np.testing.assert_allclose(
        jitters.lines[0].get_ydata(), [each.iou.mean for each in results[0].results if each.prompt == "extreme"]
    )
    extreme = results[0].results[0]
    np.testing.assert_allclose(
        corrections.lines[0].get_ydata(), [extreme.iou.mean, *(each.iou for each in extreme.corrections)]
    )
    counted = [outcome.clicks[-1] for outcome in extreme.outcomes]
    reached = dict(zip(clicks.lines[0].get_xdata(), clicks.lines[0].get_ydata(), strict=True))
    for number in (3, 5, 20):
        assert reached[number] == pytest.approx(100 * np.mean([c is not None and c <= number for c in counted]))
    assert len(scores.lines) == 2  # the diagonal, and the one model that predicts a score
    assert scores.lines[1].get_ydata()[0] == pytest.approx(extreme.iou.mean)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0].endswith(", 9 objects")
    assert legend[2:] == ["extreme", "box", "clicks"]


def test_a_plain_evaluation_has_a_picture_too(run, fake, tmp_path):
    write_plot([run(fake(score=None), corrections=0, baselines=())], tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_pictures_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"end it with one of \.png"):
        check_plot(tmp_path / "a.xyz")
    with pytest.raises(OutputError, match="folder that exists"):
        check_plot(tmp_path / "no" / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        check_plot(tmp_path / "b.png")
