"""Dock widgets: thin Qt shells over the session and the layers."""
