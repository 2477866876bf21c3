"""Tracing cases with a known answer, whose truth comes from EPA SWMM and not from suyuan's own transport."""
