"""How the pictures of the documentation are made; `docs/screenshots.py` runs it."""
