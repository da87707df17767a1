"""How a model leaves: files for other programs, and the proof that they answer alike."""
