"""Recipes: YAML in, a checked and complete `Recipe` out. Listing them needs neither pydantic nor torch."""
