"""The page of measured figures, from the JSON files that ``docs/measure.py`` keeps in ``docs/benchmarks``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plots import Bars, Lines, bars, lines

FOLDER = Path(__file__).parent.parent / "benchmarks"

Report = Mapping[str, Any]


def page() -> str:
    """Everything that was measured: a section for each file, with tables and plots."""
    return "\n\n".join(section(path) for path in sorted(FOLDER.glob("*.json"), key=_place))


def section(path: Path) -> str:
    """One file as a section of the page.

    Raises
    ------
    ValueError
        If it is the report of none of the commands that measure.
    """
    report: Report = json.loads(path.read_text(encoding="utf-8"))
    title, tell = _kind(path, report)
    return "\n\n".join((f"## {title}", _conditions(report), tell(report), f"<small>Source: `{path.name}`</small>"))


def _kind(path: Path, report: Report) -> tuple[str, Callable[[Report], str]]:
    if "datasets" in report:
        return f"Masks: {', '.join(_pack(each['dataset']) for each in report['datasets'])}", _evaluation
    if "measures" in report:
        return "COCO files", _coco
    if "session" in report:
        return "In the viewer", _viewer
    if "import_seconds" in report:
        return "A click, without the viewer", _bench
    raise ValueError(f"'{path}' is no report of `bench` or `evaluate`.")


def _place(path: Path) -> tuple[int, str]:
    order = ("bench", "viewer", "coco", "evaluate")
    return next((number for number, name in enumerate(order) if path.stem.startswith(name)), len(order)), path.name


def _conditions(report: Report) -> str:
    how: Report = report.get("measured", {})
    parts = [f"`{how['command']}`" if how else "", report.get("machine") or how.get("machine", "")]
    settings = "; ".join(part for part in parts if part)
    note = f"\n\n{how['note']}" if how.get("note") else ""
    return f"Measured with: {settings}.{note}" if settings else ""


def _timings(report: Report, keep: Callable[[str], bool] = lambda name: True) -> str:
    chosen = {name: timing for name, timing in report["timings"].items() if keep(name)}
    drawn = bars(
        "milliseconds",
        [Bars(name, timing["median_ms"], timing["p95_ms"]) for name, timing in chosen.items()],
        "median; the line reaches to the 95th percentile",
    )
    rows = [f"| {n} | {t['median_ms']:.1f} | {t['p95_ms']:.1f} | {t['runs']} |" for n, t in chosen.items()]
    return f"{drawn}\n\n" + "\n".join(("| | median, ms | 95th percentile, ms | runs |", "|---|--:|--:|--:|", *rows))


def _bench(report: Report) -> str:
    memory = [f"Peak memory {name}: {value:.0f} MB." for name, value in report["peak_megabytes"].items()]
    told = [f"`import napari_dextr` takes {1000 * report['import_seconds']:.0f} ms."]
    if report["size_ratio"] is not None:
        ratio = f"{report['size_ratio']:.2f}"
        told.append(f"A click on 20,000 × 20,000 pixels takes {ratio} times as long as on a photograph.")
    if report["resnet_ratio"] is not None:
        told.append(
            f"The ResNet-101 takes {report['resnet_ratio']:.2f} times as long in exact float32 as in reduced precision."
        )
    return _timings(report) + "\n\n" + "\n".join(f"* {line}" for line in (*told, *memory))


def _viewer(report: Report) -> str:
    clicks = _timings(report, lambda name: name.startswith("click"))
    rest = _timings(report, lambda name: not name.startswith("click"))
    remarks = "\n".join(f"* {line[0].upper()}{line[1:]}." for line in report["remarks"])
    parts = ("### From the fourth click to the label", clicks, "### Frames, and a long session", rest, remarks)
    return "\n\n".join(parts)


def _coco(report: Report) -> str:
    size, measures = report["size"], report["measures"]
    objects = size["planes"] * size["objects"]
    drawn = bars("seconds", [Bars(name, measure["seconds"]) for name, measure in measures.items()])
    rows = [f"| {name} | {measure['seconds']:.2f} | {measure['megabytes']:.0f} |" for name, measure in measures.items()]
    same = "Every way gave the same labels." if report["identical"] else "**The ways gave different labels.**"
    rates = report.get("annotate", {})
    masks = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    return "\n\n".join(
        (
            f"{objects:,} objects on {size['planes']} planes of {size['side']} × {size['side']} pixels. {same}",
            drawn,
            "\n".join(("| | seconds | most memory, MB |", "|---|--:|--:|", *rows)),
            f"Boxes to masks, objects a second: {masks}." if masks else "",
        )
    )


def _evaluation(report: Report) -> str:
    settings, model = report["settings"], report["model"]
    chosen = {name: value for name, value in settings.items() if value is not False and value not in (None, [])}
    told = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in chosen.items()]
    parts = [f"Model `{model['name']}` ({model['device']}, {model['precision']}). Settings: {'; '.join(told)}."]
    for each in report["datasets"]:
        if len(report["datasets"]) > 1:
            parts.append(f"### {_pack(each['dataset'])}")
        parts.append(f"{each['objects']} objects on {each['images']} images.")
        parts += [_first_masks(each), _jitters(each), _corrections(each)]
    return "\n\n".join(part for part in parts if part)


def _value(value: Any) -> str:
    return ", ".join(f"{each}" for each in value) if isinstance(value, list) else f"{value}"


def _pack(name: str) -> str:
    return name.removesuffix("/annotations.json")


def _condition(result: Report) -> str:
    return f"{result['prompt']}, off by {100 * result['jitter']:g} %" if result["jitter"] else str(result["prompt"])


def _first_masks(data: Report) -> str:
    first = data["results"][0]
    shown = [
        Bars(_condition(result), result["iou"]["mean"], result["iou"]["high"], result["iou"]["low"])
        for result in data["results"]
    ]
    shown += [
        Bars(f"{name} ({first['prompt']})", spread["mean"], spread["high"], spread["low"], learns=False)
        for name, spread in first["baselines"].items()
    ]
    rows = []
    for result in data["results"]:
        iou, f = result["iou"], result["boundary_f"]["mean"]
        figures = f"{iou['mean']:.3f} | {iou['low']:.3f} to {iou['high']:.3f} | {iou['median']:.3f} | {iou['p10']:.3f}"
        rows.append(f"| {_condition(result)} | {figures} | {100 * iou['good']:.0f} % | {f:.3f} |")
    head = "| marks | mean IoU | 95 % interval | median | 10th percentile | at least 0.85 | boundary F |"
    drawn = bars("mean IoU of the first mask", shown, "with its 95 % interval; hollow: without a model", most=1.0)
    return f"{drawn}\n\n" + "\n".join((head, "|---|--:|--:|--:|--:|--:|--:|", *rows))


def _corrections(data: Report) -> str:
    drawn = []
    for result in data["results"]:
        means = [result["iou"]["mean"], *(each["iou"] for each in result["corrections"])]
        if len(means) > 1:
            drawn.append(Lines(_condition(result), range(len(means)), means))
    return lines("correcting clicks", "mean IoU", drawn) if drawn else ""


def _jitters(data: Report) -> str:
    by_prompt: dict[str, list[Report]] = {}
    for result in data["results"]:
        by_prompt.setdefault(result["prompt"], []).append(result)
    drawn = [
        Lines(prompt, [100 * r["jitter"] for r in found], [r["iou"]["mean"] for r in found])
        for prompt, found in by_prompt.items()
        if len(found) > 1 and prompt != "clicks"
    ]
    return lines("error of the marks, % of the object's longer side", "mean IoU", drawn) if drawn else ""
