"""Studies: a grid of recipes, run once each, and the statistics to compare them."""
