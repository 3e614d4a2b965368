"""The figures of a long session."""

from __future__ import annotations

from napari_dextr.session_bench import bench_session


def test_a_short_session_has_figures() -> None:
    seen: list[tuple[int, int]] = []
    report = bench_session(12, lambda done, total: seen.append((done, total)))
    assert seen == [(number, 36) for number in range(1, 37)]
    assert report.objects == 12
    assert min(report.accept_first, report.accept_last, report.undo, report.rewrite, report.recovery) > 0
    assert report.ratio == report.accept_last / report.accept_first
    assert 200 < report.journal < 5000
    assert 1000 < report.memory < 40_000
