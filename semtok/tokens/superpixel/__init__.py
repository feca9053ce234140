"""Superpixel tokens."""
