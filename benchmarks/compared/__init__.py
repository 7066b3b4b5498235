"""The same training by the zoo and by its peers, measured in turns; what `side_by_side.py` and its neighbours share."""
