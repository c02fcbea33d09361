"""Formulas without estimators, written against the Python array API."""
