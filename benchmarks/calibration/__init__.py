"""Calibration of the tracer: many invented events with a known answer, traced, and what that says of its promises."""
