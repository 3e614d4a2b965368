"""``python -m napari_dextr``."""

from napari_dextr.cli import main

if __name__ == "__main__":
    main()
