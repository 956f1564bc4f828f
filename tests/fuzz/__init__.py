"""Fuzz targets for everything that reads the hostile web, and the program that runs them."""
