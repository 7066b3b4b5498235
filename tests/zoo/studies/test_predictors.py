"""Which quantity tells the test figure: readings with a known order."""

import math

import pytest

from zoo.errors import RunError
from zoo.recipe.load import load
from zoo.studies.cells import Cell, EvaluationSetting, Score
from zoo.studies.predictors import Predictor, predictor_table, predictors
from zoo.studies.statistics import Correlation

GROUND = EvaluationSetting("block-model nodes=200", "random", "accuracy", True, "test at best validation")
TESTS = (0.5, 0.9, 0.6, 0.8, 0.7, 0.4)


@pytest.fixture
def cells(tmp_path, result):
    """Two cells with half of the runs each; `rows` gives a run's probes.jsonl by its test figure."""
    recipe = load("smoke/res-gcn")

    def make(rows, setting: EvaluationSetting = GROUND, tests=TESTS, best_epoch: int | None = 10) -> list[Cell]:
        found = []
        for half in (0, 1):
            scores = []
            for seed, test in enumerate(tests[half::2]):
                path = tmp_path / setting.dataset.split()[0] / str(half) / f"seed-{seed}"
                written = rows(test if test is not None else 0.1)
                result(path, recipe, seed, test=test, probes=written, best_epoch=best_epoch)
                scores.append(Score(seed, None, test, test, "finished", str(path)))
            found.append(Cell({"half": str(half)}, setting, tuple(scores)))
        return found

    return make


def rho(cells: list[Cell], name: str, at: str = "start") -> float | None:
    (found,) = predictors(cells, [name], at)
    return found.correlation.rho


def at_start(**quantities):
    """One reading, before the first step."""
    return [{"step": 0, "epoch": 0, **quantities}]


def test_a_known_order_gives_one_or_minus_one(cells):
    """A quantity that rises with the test figure, however crookedly, has ρ = 1, one that falls has −1."""
    made = cells(lambda test: at_start(up=math.exp(9 * test), down=-(test**3), odd=(1000 * test) % 7))
    assert rho(made, "up") == pytest.approx(1, abs=1e-12)
    assert rho(made, "down") == pytest.approx(-1, abs=1e-12)
    assert abs(rho(made, "odd") or 0) < 1


def test_values_stand_beside_their_runs(cells):
    """Quantity and figure are in the order of the runs, with the cell of each."""
    (found,) = predictors(cells(lambda test: at_start(q=10 * test)), ["q"])
    assert found.y == (*TESTS[::2], *TESTS[1::2])
    assert found.x == tuple(10 * test for test in found.y)
    assert found.labels == ("half=0",) * 3 + ("half=1",) * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gradients.norm", 2),
        ("representations.norm", 8),
        ("gradients.norm@first", 2),
        ("gradients.norm@last", 8),
        ("gradients.norm@growth", 0.25),
        ("gradients.norm@imbalance", 1.3862943611198906),
        ("representations.norm@first", 2),
        ("scalar", 5),
    ],
)
def test_which_block_counts(name, value, cells):
    """The first block of gradients, the last of representations, or the one named; growth is first over last."""
    blocks = [2, 4, 8]  # ln 4 = 1.386…
    made = cells(lambda test: at_start(**{"gradients.norm": blocks, "representations.norm": blocks, "scalar": 5}))
    (found,) = predictors(made, [name])
    assert set(found.x) == {value}


def test_vanishing_is_as_much_out_of_balance_as_exploding(cells):
    """|ln(first/last)| is that of the inverse, and infinite where the gradient has gone to 0."""
    growths = iter([[4.0, 1.0], [1.0, 4.0], [0.0, 1.0]] * 2)
    made = cells(lambda test: at_start(**{"gradients.norm": next(growths)}))
    (found,) = predictors(made, ["gradients.norm@imbalance"])
    assert sorted(x for x in found.x if x is not None) == pytest.approx([1.3862943611198906] * 4 + [float("inf")] * 2)


def families(cells) -> list[Cell]:
    """Two families: within each the quantity falls where the figure rises, and the better family has more of it."""
    made = cells(lambda test: at_start(q=(10.0 if test > 0.65 else 0.0) - test), tests=TESTS)
    by_half = {"low": [s for cell in made for s in cell.scores if s.test < 0.65]}
    by_half["high"] = [s for cell in made for s in cell.scores if s.test > 0.65]
    return [Cell({"model": name, "depth": "2"}, GROUND, tuple(scores)) for name, scores in by_half.items()]


def test_a_correlation_over_families_is_not_one_within_them(cells):
    """Simpson's paradox: ρ = +0.54 over all six runs (float64, by hand) and −1 within each family of three."""
    together, low, high = predictors(families(cells), ["q"], families=["model"])
    assert [item.family for item in (together, low, high)] == ["all", "low", "high"]
    # ranks of q beside those of the figure: 3 2 1 | 6 5 4 beside 1 2 3 | 4 5 6, so Σd² = 16 and ρ = 1 − 6·16/210
    assert together.correlation.rho == pytest.approx(1 - 96 / 210)
    assert low.correlation.rho == high.correlation.rho == pytest.approx(-1)
    assert len(low.x) == len(low.y) == len(low.labels) == low.correlation.n == 3


def test_one_family_is_all_runs(cells):
    """An axis on which all cells are alike tells no families, nor does a study that names none."""
    made = families(cells)
    assert [item.family for item in predictors(made, ["q"])] == ["all"]
    assert [item.family for item in predictors(made, ["q"], families=["depth"])] == ["all"]


def test_the_table_has_the_families_beside_all_runs(cells):
    """All, then each family, for each quantity; an opposite sign is said below, and the column is there for them."""
    made = families(cells)
    table = predictor_table(predictors(made, ["q"], families=["model"]))
    assert table.head[1:4] == ("quantity", "family", "ρ")
    assert [row[2:4] for row in table.rows] == [("all", "+0.54"), ("low", "−1.00"), ("high", "−1.00")]
    assert (table.records[1]["family"], table.records[1]["rho"]) == ("low", pytest.approx(-1))
    assert "family" not in predictor_table(predictors(made, ["q"])).head


def test_a_clear_opposite_sign_within_a_family_is_said():
    """Where the interval of a family excludes 0 on the other side; an interval across 0 says nothing."""

    def item(rho, low, high, family="all"):
        return Predictor("q", GROUND, Correlation(rho, low, high, 0.5, 9, 0), family=family)

    together = item(0.14, -0.1, 0.4)
    clear = predictor_table([together, item(-0.78, -0.9, -0.5, "ResGCN"), item(-0.1, -0.6, 0.5, "GCN")])
    assert any("opposite sign for q (+0.14, but −0.78 within ResGCN)." in note for note in clear.notes)
    unclear = predictor_table([together, item(-0.1, -0.6, 0.5, "GCN")])
    assert not any("opposite sign" in note for note in unclear.notes)


def test_the_similarity_of_representations_has_an_imbalance_too(cells):
    """|ln(first/last)| of μ(X), beside that of μ(G): no quantity is held to another measure."""
    name = "representations.mu.plain"
    made = cells(lambda test: at_start(**{name: [8.0, 4.0, 2.0]}))
    (found,) = predictors(made, [f"{name}@imbalance"])
    assert found.x == pytest.approx([math.log(4)] * len(TESTS))
    (found,) = predictors(made, [f"{name}@first"])
    assert set(found.x) == {8.0}


def test_an_end_that_there_is_not_is_refused(cells):
    """With those that there are."""
    made = cells(lambda test: at_start(**{"gradients.norm": [1, 2]}))
    with pytest.raises(
        RunError, match=r"gradients.norm@frist — expected gradients.norm@ and one of: first, last, growth"
    ):
        predictors(made, ["gradients.norm@frist"])


def test_start_is_the_first_reading_and_best_the_last_before_it(cells):
    """What was read after the best validation counts for neither."""

    def rows(test):
        return [{"step": 10 * e, "epoch": e, "q": -test if e == 0 else test if e == 9 else 1.0} for e in (0, 5, 9, 11)]

    made = cells(rows)
    assert rho(made, "q", "start") == pytest.approx(-1)
    assert rho(made, "q", "best") == pytest.approx(1)


def test_each_quantity_is_read_at_its_own_last_step(cells):
    """Probes with schedules of their own are not in every row; each counts with its last reading up to the best."""

    def rows(test):
        return [{"step": 0, "epoch": 0, "q": test, "r": 0}, {"step": 9, "epoch": 9, "r": -test}]

    made = cells(rows)
    assert rho(made, "q", "best") == pytest.approx(1)
    assert rho(made, "r", "best") == pytest.approx(-1)


def test_a_reading_after_the_best_validation_is_none(cells):
    """A probe that began too late has nothing to say of the best validation."""
    made = cells(lambda test: [{"step": 20, "epoch": 20, "q": test}])
    with pytest.raises(RunError, match="q was measured in no run"):
        predictors(made, ["q"], "best")


def test_runs_without_a_figure_are_left_out(cells):
    """Diverged runs have no test figure to be predicted, and no best validation either."""
    made = cells(lambda test: at_start(q=test), tests=(*TESTS, None, math.nan), best_epoch=None)
    (found,) = predictors(made, ["q"])
    assert len(found.y) == len(TESTS)


def test_readings_that_are_not_finite_are_counted(cells):
    """What is null in the file is dropped from the correlation, and said beside its n."""
    made = cells(lambda test: at_start(q=None if test == 0.9 else test, g=[None, 1.0], **{"gradients.z": [1.0, 0.0]}))
    (found,) = predictors(made, ["q"])
    assert (found.correlation.n, found.correlation.dropped) == (5, 1)
    assert predictor_table([found]).rows[0][-1] == "5 (1 not finite)"
    for name in ("g@growth", "gradients.z@growth"):
        (nothing,) = predictors(made, [name])
        assert set(nothing.x) == {None}


def test_an_unknown_quantity_is_named_with_the_known_ones(cells):
    """And the nearest of them; without probes it is said that there are none."""
    made = cells(lambda test: at_start(**{"gradients.norm": [1, 2], "rank": 3}))
    said = (
        r"gradient.norm was measured in no run on block-model .* — expected one of: gradients.norm, rank — did you mean"
    )
    with pytest.raises(RunError, match=said):
        predictors(made, ["gradient.norm"])
    with pytest.raises(RunError, match="expected one of: none, the runs have no probes"):
        predictors(cells(lambda test: [], EvaluationSetting("other", "s", "m", True, "v")), ["q"])


def test_grounds_are_held_apart(cells):
    """Test figures of two data sets are not ranked together."""
    other = EvaluationSetting("cora", "public", "accuracy", True, "test at best validation")
    made = [*cells(lambda test: at_start(q=test)), *cells(lambda test: at_start(q=-test), other)]
    found = predictors(made, ["q"])
    assert [(item.setting, round(item.correlation.rho or 0, 9)) for item in found] == [(GROUND, 1), (other, -1)]


def test_the_table_has_the_strongest_first(cells):
    """Ranked by |ρ| within each data set, p adjusted over the table by Holm's rule."""
    ranks = {test: rank for rank, test in enumerate(sorted(TESTS))}
    swapped = {0: 1, 1: 0, 2: 3, 3: 2, 4: 4, 5: 5}  # ρ = 1 − 6·4/(6·35) = 0.886
    made = cells(lambda test: at_start(weak=swapped[ranks[test]], strong=-test))
    table = predictor_table(predictors(made, ["weak", "strong"]))
    assert [row[1:3] for row in table.rows] == [("strong", "−1.00"), ("weak", "+0.89")]
    p = [float(row["p"] or 0) for row in table.records]
    assert p[0] == pytest.approx(2 / math.factorial(6))  # of all orders, this one and its reverse
    adjusted = [row["p_holm"] for row in table.records]
    assert adjusted == pytest.approx([2 * p[0], max(2 * p[0], p[1])])
    assert "before the first step" in table.title
    assert "at the best validation" in predictor_table([], "best").title
