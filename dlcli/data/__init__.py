"""A folder of labelled pictures -> pixels."""
