"""Zachary's karate club: small enough to look at, and always there."""

import networkx as nx
import torch

from zoo.datasets.base import NodeData
from zoo.datasets.store import Store


def karate(store: Store) -> NodeData:
    """Zachary's karate club: 34 members, 156 edges (78 friendships both ways), 2 classes; needs no file.

    The features are the identity matrix [34, 34]; class 0 stayed with Mr. Hi, class 1 followed the officer.
    Source: Zachary, "An Information BlockGraphs Model for Conflict and Fission in Small Groups", 1977.
    """
    club = nx.karate_club_graph()
    pairs = torch.tensor([(a, b) for a, b in club.edges()])
    one, other = pairs.unbind(1)
    sides = [club.nodes[member]["club"] for member in range(len(club))]
    return NodeData(
        name="karate",
        src=torch.cat([one, other]),
        dst=torch.cat([other, one]),
        features=torch.eye(len(club)),
        labels=torch.tensor([int(side != "Mr. Hi") for side in sides]),
        classes=2,
        facts={"source": "networkx.karate_club_graph", "edges": "undirected, both directions listed"},
    )
