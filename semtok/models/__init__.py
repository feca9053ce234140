"""The image-text model and its parts."""
