"""THE MAP: every built-in name of every table, and the object it stands for.

A target is written `module:object` and imported only when its name is asked for. `module:object(option=value)` is a
preset: the same object with those options fixed. A name ending in `.*` is a family: `dgl.nn.SAGEConv` calls the target
of `dgl.nn.*` with `SAGEConv`.
"""

MODELS = {
    "stack": "zoo.models.stack:Stack",
    "gcn": "zoo.models.stack:Stack(conv='gcn', residual='none')",
    "res-gcn": "zoo.models.stack:Stack(conv='gcn', residual='add')",
    "gat": "zoo.models.stack:Stack(conv='gat', residual='none')",
    "res-gat": "zoo.models.stack:Stack(conv='gat', residual='add')",
    "res-lipschitz-gat": "zoo.models.stack:Stack(conv='lipschitz-gat', residual='add')",
    "sage": "zoo.models.stack:Stack(conv='sage', residual='none')",
    "res-sage": "zoo.models.stack:Stack(conv='sage', residual='add')",
    "gin": "zoo.models.stack:Stack(conv='gin', residual='none')",
    "res-gin": "zoo.models.stack:Stack(conv='gin', residual='add')",
    "mlp": "zoo.models.stack:Stack(conv='mlp', residual='none')",
    "res-mlp": "zoo.models.stack:Stack(conv='mlp', residual='add')",
    "jknet": "zoo.models.stack:Stack(conv='gcn', residual='jumping')",
    "gcnii": "zoo.models.gcnii:GCNII",
    "g2": "zoo.models.g2:G2",
    "egnn": "zoo.models.egnn:EGNN",
    "appnp": "zoo.models.appnp:APPNP",
    "sgc": "zoo.models.sgc:SGC",
    "dagnn": "zoo.models.dagnn:DAGNN",
    "rev-gnn": "zoo.models.rev_gnn:RevGNN",
}

CONVS = {
    "gcn": "zoo.layers.gcn:GCNConv",
    "gat": "zoo.layers.gat:GATConv",
    "lipschitz-gat": "zoo.layers.gat:GATConv(attention_norm='lipschitz')",
    "gatv2": "zoo.layers.gat:GATv2Conv",
    "sage": "zoo.layers.sage:SAGEConv",
    "gin": "zoo.layers.gin:GINConv",
    "mlp": "zoo.layers.mlp:MLPConv",
    "dgl.nn.*": "zoo.layers.foreign:dgl_conv",
}

RESIDUALS = {
    "none": "zoo.layers.residual:NoSkip",
    "add": "zoo.layers.residual:AddSkip",
    "initial": "zoo.layers.residual:InitialSkip",
    "jumping": "zoo.layers.residual:JumpingKnowledge",
}

ACTIVATIONS = {
    "identity": "torch.nn:Identity",
    "relu": "torch.nn:ReLU",
    "leaky-relu": "torch.nn:LeakyReLU",
    "elu": "torch.nn:ELU",
    "gelu": "torch.nn:GELU",
    "silu": "torch.nn:SiLU",
    "tanh": "torch.nn:Tanh",
}

NORMALIZERS = {
    # weights
    "none": "zoo.normalizers.none:NoNormalizer",
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
    "pair": "zoo.normalizers.pair:PairNorm",
    "mean": "zoo.normalizers.pair:MeanNorm",
    "node": "zoo.normalizers.node:NodeNorm",
    "graph": "zoo.normalizers.graph:GraphNorm",
    "dgn": "zoo.normalizers.dgn:DifferentiableGroupNorm",
    "message": "zoo.normalizers.message:MessageNorm",
    "contra": "zoo.normalizers.contra:ContraNorm",
}

REGULARIZERS = {
    "none": "zoo.regularizers.none:NoRegularizer",
    "drop-edge": "zoo.regularizers.drop_edge:DropEdge",
    "drop-node": "zoo.regularizers.drop_node:DropNode",
    "skip-node": "zoo.regularizers.skip_node:SkipNode",
    "orthogonality": "zoo.regularizers.orthogonality:Orthogonality",
}

INITIALIZERS = {
    "default": "zoo.initializers.default:Default",
    "critical-variance": "zoo.initializers.critical_variance:CriticalVariance",
    "g-init": "zoo.initializers.g_init:GInit",
}

# What makes float features of what a data set has, before the network's own encoder.
EMBEDDINGS = {
    "auto": "zoo.layers.embedding:auto",
    "none": "zoo.layers.embedding:NoEmbedding",
    "category": "zoo.layers.embedding:CategoryEmbedding",
}

# How the nodes of each graph of a batch become one row.
POOLINGS = {
    "sum": "zoo.layers.pooling:SumPooling",
    "mean": "zoo.layers.pooling:MeanPooling",
}

PROBES = {
    # sets
    "quick": "zoo.probes.presets:quick",
    "standard": "zoo.probes.presets:standard",
    "deep": "zoo.probes.presets:deep",
    # of gradients or representations
    "similarity": "zoo.probes.similarity:Similarity",
    "dirichlet": "zoo.probes.smoothing:Dirichlet",
    "mad": "zoo.probes.smoothing:MAD",
    "rank": "zoo.probes.rank:Rank",
    # of the network
    "expansion-rate": "zoo.probes.expansion:ExpansionRate",
    "normalizer-bound": "zoo.probes.constraint:NormalizerBound",
    "weight-norms": "zoo.probes.weights:WeightNorms",
    "weight-spectrum": "zoo.probes.weights:WeightSpectrum",
    "update-ratio": "zoo.probes.weights:UpdateRatio",
    "output-error": "zoo.probes.error:OutputError",
    "jacobian-gain": "zoo.probes.jacobian:JacobianGain",
}

CONTROLLERS = {
    "adaptive": "zoo.probes.steering:Band",
}

DATASETS = {
    "block-model": "zoo.datasets.synthetic:block_model",
    "karate": "zoo.datasets.karate:karate",
    "cora": "zoo.datasets.planetoid:cora",
    "citeseer": "zoo.datasets.planetoid:citeseer",
    "pubmed": "zoo.datasets.planetoid:pubmed",
    "chameleon": "zoo.datasets.geom_gcn:chameleon",
    "squirrel": "zoo.datasets.geom_gcn:squirrel",
    "actor": "zoo.datasets.geom_gcn:actor",
    "cornell": "zoo.datasets.geom_gcn:cornell",
    "texas": "zoo.datasets.geom_gcn:texas",
    "wisconsin": "zoo.datasets.geom_gcn:wisconsin",
    "chameleon-filtered": "zoo.datasets.heterophilous:chameleon_filtered",
    "squirrel-filtered": "zoo.datasets.heterophilous:squirrel_filtered",
    "minesweeper": "zoo.datasets.heterophilous:minesweeper",
    "tolokers": "zoo.datasets.heterophilous:tolokers",
    "roman-empire": "zoo.datasets.heterophilous:roman_empire",
    "amazon-ratings": "zoo.datasets.heterophilous:amazon_ratings",
    "questions": "zoo.datasets.heterophilous:questions",
    "amazon-photo": "zoo.datasets.gnn_benchmark:amazon_photo",
    "amazon-computers": "zoo.datasets.gnn_benchmark:amazon_computers",
    "coauthor-cs": "zoo.datasets.gnn_benchmark:coauthor_cs",
    "coauthor-physics": "zoo.datasets.gnn_benchmark:coauthor_physics",
}

SPLITS = {
    "default": "zoo.datasets.splits:default",
    "public": "zoo.datasets.splits:public",
    "geom-gcn": "zoo.datasets.splits:geom_gcn",
    "random": "zoo.datasets.splits:random",
    "balanced": "zoo.datasets.splits:balanced",
}

TASKS = {
    "nodes": "zoo.tasks.nodes:NodeClassification",
}

METRICS = {
    "accuracy": "zoo.metrics.classification:Accuracy",
    "rocauc": "zoo.metrics.classification:ROCAUC",
}

# What a training step on one large graph computes on.
SAMPLERS = {
    "full": "zoo.tasks.full:FullGraph",
}

OPTIMIZERS = {
    "adam": "zoo.training.optim:adam",
    "adamw": "zoo.training.optim:adamw",
    "sgd": "zoo.training.optim:sgd",
}

SCHEDULES = {
    "constant": "zoo.training.schedule:Constant",
    "cosine": "zoo.training.schedule:Cosine",
    "linear": "zoo.training.schedule:Linear",
    "step": "zoo.training.schedule:Step",
}
