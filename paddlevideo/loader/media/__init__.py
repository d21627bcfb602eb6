"""Frames of folders, video files, cameras and network streams."""
