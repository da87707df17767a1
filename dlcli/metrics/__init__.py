"""Numbers about answers, in NumPy, SciPy and scikit-learn."""
