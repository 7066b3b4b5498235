"""What comes from outside and is not trusted: text, names, archives, pickles, held against limits before they are used.

Nothing here knows of recipes, runs or data sets; what is refused is a ValueError that says why, for the caller to
place.
"""
