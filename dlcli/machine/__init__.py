"""The machine this runs on: its processor, its memory, its GPUs and what keeps them from work."""
