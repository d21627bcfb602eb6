"""What one does with a model: train, test, export, predict."""
