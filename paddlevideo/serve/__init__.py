"""A page in the browser that shows what a network finds in a video or in front of a camera, while it finds it."""
