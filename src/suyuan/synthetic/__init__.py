"""Invented plain-river counties with flow, releases and readings: for the demo, examples and calibration."""
