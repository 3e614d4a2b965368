"""Hostile inputs and interrupted work, thousands of them: `make stress`, or `python tools/stress --help`.

Every case may end in two ways: with a right answer of the right shape, or with one of the errors of
`napari_dextr.errors`, which say in a sentence what to do. Everything else is a finding: another error, a crash, a hang,
memory that grows without need, a file left behind, an object lost.
"""
