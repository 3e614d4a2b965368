"""What is evaluated, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..baselines import BASELINES, has_grabcut
from ..errors import PromptError

PROMPTS = ("extreme", "box", "inside-outside", "clicks")
"""Kinds of simulated prompt."""

MARKS_OF = {
    "extreme": frozenset({"extreme"}),
    "box": frozenset({"box"}),
    "inside-outside": frozenset({"box", "inside", "outside"}),
    "clicks": frozenset({"inside"}),
}
"""Kinds of mark (`napari_dextr.prompt.MARKS`) that each prompt holds."""

CLICKS_OF = {"extreme": 4, "box": 2, "inside-outside": 3, "clicks": 1}
"""Clicks that a person spends on each prompt before the first mask; a box is two corners."""

_MOST_CORRECTIONS = 20


def available_baselines() -> tuple[str, ...]:
    """Names of the baselines that can run here: all, or all but GrabCut where OpenCV is not installed."""
    return tuple(name for name in BASELINES if name != "grabcut" or has_grabcut())


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how.

    Attributes
    ----------
    prompts : tuple of str
        Some of `PROMPTS`. ``inside_outside`` may be written as well.
    jitters : tuple of float
        Standard deviations of the marks' error as shares of the object's longer side; 0 gives ideal marks. With
        jitter, extreme points also fall anywhere near the extremum, and clicks anywhere well inside, as those of
        people do. Clicks miss by no more than that, so for them one jitter above 0 stands for all.
    corrections : int
        How many correcting clicks follow, each on the largest error of the mask so far.
    noc : bool
        Also go on correcting until IoU 0.90 or 20 clicks and count them, for every prompt at the first jitter.
    turns : bool
        Also compare the masks of the flipped and turned image with those of the upright one.
    least_area : float
        Smaller objects (pixels) are left out.
    most_per_image, most : int or None
        At most so many objects of one image, and in all, drawn at random.
    seed : int
        Seed of that draw and of the marks. The marks of an object depend on the seed and on its id only, so every
        prompt, model and baseline meets the same objects, and another choice of objects changes no mark.
    baselines : tuple of str
        Names in `napari_dextr.baselines.BASELINES`, by default all that can run here. None apply to clicks, which
        enclose nothing.

    Raises
    ------
    PromptError
        When a value makes no sense, or a baseline needs a package that is not installed.
    """

    prompts: tuple[str, ...] = ("extreme",)
    jitters: tuple[float, ...] = (0.0,)
    corrections: int = 1
    noc: bool = False
    turns: bool = False
    least_area: float = 0.0
    most_per_image: int | None = None
    most: int | None = None
    seed: int = 0
    baselines: tuple[str, ...] = field(default_factory=available_baselines)

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # the usual way to tidy up the fields of a frozen dataclass
        set_(self, "prompts", tuple(dict.fromkeys(name.replace("_", "-") for name in self.prompts)))
        set_(self, "jitters", tuple(dict.fromkeys(float(jitter) for jitter in self.jitters)))
        unknown = [name for name in self.prompts if name not in PROMPTS]
        if unknown or not self.prompts:
            raise PromptError(f"There is no prompt '{''.join(unknown[:1])}'; choose among {', '.join(PROMPTS)}.")
        if not self.jitters or not all(0 <= jitter <= 0.5 for jitter in self.jitters):
            raise PromptError("The jitter is a share of the object's size, between 0 and 0.5; 0.02 is a careful hand.")
        if not 0 <= self.corrections <= _MOST_CORRECTIONS:
            raise PromptError(f"There can be 0 to {_MOST_CORRECTIONS} correcting clicks, not {self.corrections}.")
        if self.seed < 0:
            raise PromptError("The seed must be 0 or a positive whole number.")
        unknown = [name for name in self.baselines if name not in BASELINES]
        if unknown:
            raise PromptError(f"There is no baseline '{unknown[0]}'; choose among {', '.join(BASELINES)}.")
        if "grabcut" in self.baselines and not has_grabcut():
            raise PromptError(
                "The baseline 'grabcut' needs OpenCV: install it with `pip install opencv-python-headless`, "
                "or leave it out."
            )

    def conditions(self) -> Iterator[tuple[str, float]]:
        """Every prompt with every jitter."""
        for prompt in self.prompts:
            wild = 0
            for jitter in self.jitters:
                wild += jitter > 0
                if prompt != "clicks" or jitter == 0 or wild == 1:
                    yield prompt, jitter
