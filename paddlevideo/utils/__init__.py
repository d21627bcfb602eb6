"""Helpers that say nothing about any model."""
