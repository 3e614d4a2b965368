"""What touches napari but not Qt: layers made, read and written; sample data."""
