"""semtok: which visual tokens make the better image-text model?"""

__version__ = "0.1.0"
