"""From a folder of labelled pictures to a classifier you can trust and ship."""

__version__ = "0.1.0"
