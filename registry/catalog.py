"""THE MAP: every built-in name of every table, and the object it stands for.

A target is written `module:object` and imported only when its name is asked for. A pair `("module:object", {options})`
is a preset: the same object with those options fixed. A name ending in `.*` is a family: `dgl.nn.SAGEConv` calls the
target of `dgl.nn.*` with `SAGEConv`.

A new table takes two edits: a `Registry` here, and its place in recipes, a field of `zoo.recipe.recipe.Recipe` or an
annotation in `zoo.recipe.fields`.
"""

from registry.core import Registry

models = Registry(
    "models",
    {
        "stack": "zoo.models.stack:Stack",
        "gcn": ("zoo.models.stack:Stack", {"conv": "gcn", "residual": "none"}),
        "res-gcn": ("zoo.models.stack:Stack", {"conv": "gcn", "residual": "add"}),
        "gat": ("zoo.models.stack:Stack", {"conv": "gat", "residual": "none"}),
        "res-gat": ("zoo.models.stack:Stack", {"conv": "gat", "residual": "add"}),
        "res-lipschitz-gat": ("zoo.models.stack:Stack", {"conv": "lipschitz-gat", "residual": "add"}),
        "sage": ("zoo.models.stack:Stack", {"conv": "sage", "residual": "none"}),
        "res-sage": ("zoo.models.stack:Stack", {"conv": "sage", "residual": "add"}),
        "gin": ("zoo.models.stack:Stack", {"conv": "gin", "residual": "none"}),
        "res-gin": ("zoo.models.stack:Stack", {"conv": "gin", "residual": "add"}),
        "mlp": ("zoo.models.stack:Stack", {"conv": "mlp", "residual": "none"}),
        "res-mlp": ("zoo.models.stack:Stack", {"conv": "mlp", "residual": "add"}),
        "gine": ("zoo.models.stack:Stack", {"conv": "gine", "residual": "none"}),
        "res-gine": ("zoo.models.stack:Stack", {"conv": "gine", "residual": "add"}),
        "gcn-edge": ("zoo.models.stack:Stack", {"conv": "gcn-edge", "residual": "none"}),
        "res-gcn-edge": ("zoo.models.stack:Stack", {"conv": "gcn-edge", "residual": "add"}),
        "jknet": ("zoo.models.stack:Stack", {"conv": "gcn", "residual": "jumping"}),
        "gcnii": "zoo.models.gcnii:GCNII",
        "g2": "zoo.models.g2:G2",
        "egnn": "zoo.models.egnn:EGNN",
        "appnp": "zoo.models.decoupled:APPNP",
        "sgc": "zoo.models.decoupled:SGC",
        "dagnn": "zoo.models.decoupled:DAGNN",
        "rev-gnn": "zoo.models.rev_gnn:RevGNN",
    },
)

convs = Registry(
    "convs",
    {
        "gcn": "zoo.layers.gcn:GCNConv",
        "gat": "zoo.layers.gat:GATConv",
        "lipschitz-gat": ("zoo.layers.gat:GATConv", {"attention_norm": "lipschitz"}),
        "gatv2": "zoo.layers.gat:GATv2Conv",
        "sage": "zoo.layers.sage:SAGEConv",
        "gin": "zoo.layers.gin:GINConv",
        "gine": "zoo.layers.edge_features:GINEConv",
        "gcn-edge": "zoo.layers.edge_features:GCNEdgeConv",
        "mlp": "zoo.layers.linear:MLPConv",
        "dgl.nn.*": "zoo.layers.foreign:dgl_conv",
    },
)

residuals = Registry(
    "residuals",
    {
        "none": "zoo.layers.residual:NoSkip",
        "add": "zoo.layers.residual:AddSkip",
        "initial": "zoo.layers.residual:InitialSkip",
        "jumping": "zoo.layers.residual:JumpingKnowledge",
    },
)

activations = Registry(
    "activations",
    {
        "identity": "torch.nn:Identity",
        "relu": "torch.nn:ReLU",
        "leaky-relu": "torch.nn:LeakyReLU",
        "elu": "torch.nn:ELU",
        "gelu": "torch.nn:GELU",
        "silu": "torch.nn:SiLU",
        "tanh": "torch.nn:Tanh",
    },
)

normalizers = Registry(
    "normalizers",
    {
        # weights
        "none": "zoo.normalizers.base:NoNormalizer",
        "frobenius": "zoo.normalizers.frobenius:Frobenius",
        "frobenius-soft": "zoo.normalizers.frobenius:FrobeniusSoft",
        "spectral": "zoo.normalizers.spectral:Spectral",
        "weight-norm": "zoo.normalizers.weight_norm:WeightNorm",
        "orthogonal": "zoo.normalizers.orthogonal:Orthogonal",
        # features
        "layer": "zoo.normalizers.standard:LayerNorm",
        "batch": "zoo.normalizers.standard:BatchNorm",
        "group": "zoo.normalizers.standard:GroupNorm",
        "instance": "zoo.normalizers.standard:InstanceNorm",
        "pair": "zoo.normalizers.per_graph:PairNorm",
        "mean": "zoo.normalizers.per_graph:MeanNorm",
        "node": "zoo.normalizers.per_node:NodeNorm",
        "graph": "zoo.normalizers.per_graph:GraphNorm",
        "dgn": "zoo.normalizers.dgn:DifferentiableGroupNorm",
        "message": "zoo.normalizers.per_node:MessageNorm",
        "contra": "zoo.normalizers.contra:ContraNorm",
    },
)

regularizers = Registry(
    "regularizers",
    {
        "none": "zoo.regularizers.base:NoRegularizer",
        "drop-edge": "zoo.regularizers.drop_edge:DropEdge",
        "drop-node": "zoo.regularizers.drop_node:DropNode",
        "skip-node": "zoo.regularizers.skip_node:SkipNode",
        "orthogonality": "zoo.regularizers.orthogonality:Orthogonality",
    },
)

initializers = Registry(
    "initializers",
    {
        "default": "zoo.initializers.base:Default",
        "critical-variance": "zoo.initializers.critical_variance:CriticalVariance",
        "g-init": "zoo.initializers.g_init:GInit",
    },
)

# What makes float features of what a data set has, before the network's own encoder.
embeddings = Registry(
    "embeddings",
    {
        "auto": "zoo.layers.embedding:auto",
        "none": "zoo.layers.embedding:NoEmbedding",
        "category": "zoo.layers.embedding:CategoryEmbedding",
        "atom": "zoo.layers.embedding:AtomEmbedding",
    },
)

# What makes float features of what the edges carry, in each convolution that reads it.
edge_embeddings = Registry(
    "edge_embeddings",
    {
        "bond": "zoo.layers.edge_features:BondEmbedding",
        "category": "zoo.layers.edge_features:CategoryEdgeEmbedding",
        "linear": "zoo.layers.edge_features:LinearEdgeEmbedding",
    },
)

# How the nodes of each graph of a batch become one row.
poolings = Registry(
    "poolings",
    {
        "sum": "zoo.layers.pooling:SumPooling",
        "mean": "zoo.layers.pooling:MeanPooling",
        "max": "zoo.layers.pooling:MaxPooling",
        "attention": "zoo.layers.pooling:AttentionPooling",
    },
)

# What scores a pair of nodes by their rows.
decoders = Registry(
    "decoders",
    {
        "dot": "zoo.layers.decoders:Dot",
        "bilinear": "zoo.layers.decoders:Bilinear",
        "hadamard-mlp": "zoo.layers.decoders:HadamardMLP",
    },
)

probes = Registry(
    "probes",
    {
        # sets
        "quick": "zoo.probes.presets:quick",
        "standard": "zoo.probes.presets:standard",
        "deep": "zoo.probes.presets:deep",
        # of gradients or representations
        "similarity": "zoo.probes.similarity:Similarity",
        "dirichlet": "zoo.probes.smoothing:Dirichlet",
        "mad": "zoo.probes.smoothing:MAD",
        "rank": "zoo.probes.smoothing:Rank",
        # of the network
        "expansion-rate": "zoo.probes.similarity:ExpansionRate",
        "normalizer-bound": "zoo.probes.weights:NormalizerBound",
        "weight-norms": "zoo.probes.weights:WeightNorms",
        "weight-spectrum": "zoo.probes.weights:WeightSpectrum",
        "update-ratio": "zoo.probes.weights:UpdateRatio",
        "output-error": "zoo.probes.similarity:OutputError",
        "jacobian-gain": "zoo.probes.jacobian:JacobianGain",
    },
)

controllers = Registry("controllers", {"adaptive": "zoo.probes.steering:Band"})

datasets = Registry(
    "datasets",
    {
        "block-model": "zoo.datasets.synthetic:block_model",
        "overlapping-blocks": "zoo.datasets.synthetic:overlapping_blocks",
        "random-graphs": "zoo.datasets.random_graphs:random_graphs",
        "karate": "zoo.datasets.synthetic:karate",
        "cora": "zoo.datasets.planetoid:cora",
        "citeseer": "zoo.datasets.planetoid:citeseer",
        "pubmed": "zoo.datasets.planetoid:pubmed",
        "chameleon": "zoo.datasets.geom_gcn:chameleon",
        "squirrel": "zoo.datasets.geom_gcn:squirrel",
        "actor": "zoo.datasets.geom_gcn:actor",
        "cornell": "zoo.datasets.geom_gcn:cornell",
        "texas": "zoo.datasets.geom_gcn:texas",
        "wisconsin": "zoo.datasets.geom_gcn:wisconsin",
        "chameleon-filtered": "zoo.datasets.npz_graphs:chameleon_filtered",
        "squirrel-filtered": "zoo.datasets.npz_graphs:squirrel_filtered",
        "minesweeper": "zoo.datasets.npz_graphs:minesweeper",
        "tolokers": "zoo.datasets.npz_graphs:tolokers",
        "roman-empire": "zoo.datasets.npz_graphs:roman_empire",
        "amazon-ratings": "zoo.datasets.npz_graphs:amazon_ratings",
        "questions": "zoo.datasets.npz_graphs:questions",
        "amazon-photo": "zoo.datasets.npz_graphs:amazon_photo",
        "amazon-computers": "zoo.datasets.npz_graphs:amazon_computers",
        "coauthor-cs": "zoo.datasets.npz_graphs:coauthor_cs",
        "coauthor-physics": "zoo.datasets.npz_graphs:coauthor_physics",
        "mutag": "zoo.datasets.tu:mutag",
        "ptc-mr": "zoo.datasets.tu:ptc_mr",
        "nci1": "zoo.datasets.tu:nci1",
        "proteins": "zoo.datasets.tu:proteins",
        "enzymes": "zoo.datasets.tu:enzymes",
        "imdb-binary": "zoo.datasets.tu:imdb_binary",
        "ogbn-arxiv": "zoo.datasets.ogb.labelled:ogbn_arxiv",
        "ogbn-products": "zoo.datasets.ogb.labelled:ogbn_products",
        "ogbn-proteins": "zoo.datasets.ogb.labelled:ogbn_proteins",
        "ogbg-molhiv": "zoo.datasets.ogb.labelled:ogbg_molhiv",
        "ogbg-molpcba": "zoo.datasets.ogb.labelled:ogbg_molpcba",
        "ogbg-molbace": "zoo.datasets.ogb.labelled:ogbg_molbace",
        "ogbg-molbbbp": "zoo.datasets.ogb.labelled:ogbg_molbbbp",
        "ogbg-molclintox": "zoo.datasets.ogb.labelled:ogbg_molclintox",
        "ogbg-molmuv": "zoo.datasets.ogb.labelled:ogbg_molmuv",
        "ogbg-molsider": "zoo.datasets.ogb.labelled:ogbg_molsider",
        "ogbg-moltox21": "zoo.datasets.ogb.labelled:ogbg_moltox21",
        "ogbg-moltoxcast": "zoo.datasets.ogb.labelled:ogbg_moltoxcast",
        "ogbg-molesol": "zoo.datasets.ogb.labelled:ogbg_molesol",
        "ogbg-molfreesolv": "zoo.datasets.ogb.labelled:ogbg_molfreesolv",
        "ogbg-mollipo": "zoo.datasets.ogb.labelled:ogbg_mollipo",
        "ogbg-ppa": "zoo.datasets.ogb.labelled:ogbg_ppa",
        "ogbl-ddi": "zoo.datasets.ogb.link_sets:ogbl_ddi",
        "ogbl-collab": "zoo.datasets.ogb.link_sets:ogbl_collab",
        "ogbl-ppa": "zoo.datasets.ogb.link_sets:ogbl_ppa",
        "ogbl-citation2": "zoo.datasets.ogb.link_sets:ogbl_citation2",
    },
)

splits = Registry(
    "splits",
    {
        "default": "zoo.datasets.splits:default",
        "public": "zoo.datasets.splits:public",
        "geom-gcn": "zoo.datasets.splits:geom_gcn",
        "random": "zoo.datasets.splits:random",
        "balanced": "zoo.datasets.splits:balanced",
        "links": "zoo.datasets.link_splits:links",
        "folds": "zoo.datasets.splits:folds",
    },
)

tasks = Registry(
    "tasks",
    {
        "nodes": "zoo.tasks.node_classification:NodeClassification",
        "links": "zoo.tasks.link_prediction:LinkPrediction",
        "graphs": "zoo.tasks.graph_prediction:GraphPrediction",
    },
)

metrics = Registry(
    "metrics",
    {
        "accuracy": "zoo.metrics.classification:Accuracy",
        "rocauc": "zoo.metrics.classification:ROCAUC",
        "average-precision": "zoo.metrics.classification:AveragePrecision",
        "f1": "zoo.metrics.classification:F1",
        "rmse": "zoo.metrics.regression:RMSE",
        "mae": "zoo.metrics.regression:MAE",
        # of links
        "auc": "zoo.metrics.ranking:AUC",
        "mrr": "zoo.metrics.ranking:MRR",
        "hits": "zoo.metrics.ranking:Hits",
        "hits@10": ("zoo.metrics.ranking:Hits", {"k": 10}),
        "hits@20": ("zoo.metrics.ranking:Hits", {"k": 20}),
        "hits@50": ("zoo.metrics.ranking:Hits", {"k": 50}),
        "hits@100": ("zoo.metrics.ranking:Hits", {"k": 100}),
    },
)

# What a training step on one large graph computes on.
samplers = Registry(
    "samplers",
    {
        "full": "zoo.sampling.base:FullGraph",
        "neighbor": "zoo.sampling.neighbor:NeighborSampler",
        "cluster": "zoo.sampling.cluster:ClusterSampler",
        "shadow": "zoo.sampling.shadow:ShadowSampler",
    },
)

optimizers = Registry(
    "optimizers",
    {
        "adam": "zoo.training.optim:adam",
        "adamw": "zoo.training.optim:adamw",
        "sgd": "zoo.training.optim:sgd",
    },
)

schedules = Registry(
    "schedules",
    {
        "constant": "zoo.training.schedule:Constant",
        "cosine": "zoo.training.schedule:Cosine",
        "linear": "zoo.training.schedule:Linear",
        "step": "zoo.training.schedule:Step",
    },
)

TABLES = {table.table: table for table in list(globals().values()) if isinstance(table, Registry)}
