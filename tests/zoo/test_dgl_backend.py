"""dgl_backend: `import dgl` works beside this torch, silently, and leaves a fitting graphbolt alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAKE_DGL = "__version__ = '2.1.0'\nfrom . import graphbolt\n"


def run(code: str, home: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own with an empty home, `paths` before all packages."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DGL") and name != "LD_LIBRARY_PATH"
    }
    environment |= {"HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, [*paths, ROOT]))
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A folder with a package `dgl` and a `torch` 9.8.7 in it, whose graphbolt says that it is real."""
    package = tmp_path / "site" / "dgl" / "graphbolt"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text(FAKE_DGL)
    (package / "part.py").write_text("")
    (package / "__init__.py").write_text("from . import part\nreal = True\n")
    metadata = tmp_path / "site" / "torch-9.8.7+cpu.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.8.7+cpu\n")
    return tmp_path / "site"


def test_plain_import_is_silent_and_writes_nothing(home: Path):
    """`import zoo, dgl` prints nothing and leaves the home folder empty, and DGL computes."""
    done = run(
        "import zoo, dgl, torch\n"
        "graph = dgl.graph((torch.tensor([0, 1]), torch.tensor([1, 1])))\n"
        "assert dgl.ops.copy_u_sum(graph, torch.eye(2)).sum() == 2",
        home,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []


def test_importing_the_zoo_is_cheap(home: Path):
    """`import zoo` imports neither torch nor dgl, and installing twice leaves one finder."""
    code = (
        "import sys, zoo, zoo.dgl_backend as backend\n"
        "backend.install(); backend.install()\n"
        "assert not {'torch', 'dgl', 'numpy'} & set(sys.modules)\n"
        "assert sum(type(finder).__name__ == '_GraphboltFinder' for finder in sys.meta_path) == 1"
    )
    assert run(code, home).stderr == ""


def test_the_users_backend_choice_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch):
    """A DGLBACKEND that is set already stays; else it is pytorch."""
    code = "{}import zoo, os; print(os.environ['DGLBACKEND'])"
    assert run(code.format("import os; os.environ['DGLBACKEND'] = 'mine'; "), home).stdout == "mine\n"
    assert run(code.format(""), home).stdout == "pytorch\n"


def test_a_fitting_graphbolt_is_left_alone(home: Path, fake: Path):
    """Where a native half for this torch lies in the package, the real graphbolt runs, submodules and all."""
    (fake / "dgl" / "graphbolt" / "libgraphbolt_pytorch_9.8.7.so").touch()
    code = (
        "import zoo, dgl, dgl.graphbolt.part\n"
        "from zoo import dgl_backend\n"
        "assert dgl.graphbolt.real and dgl_backend.why_no_graphbolt() is None"
    )
    assert run(code, home, fake).stderr == ""


def test_a_native_half_elsewhere_counts(home: Path, fake: Path, tmp_path: Path):
    """A native half under DGL_LIBRARY_PATH counts as well."""
    (tmp_path / "libraries" / "graphbolt").mkdir(parents=True)
    (tmp_path / "libraries" / "graphbolt" / "libgraphbolt_pytorch_9.8.7.so").touch()
    folder = str(tmp_path / "libraries")
    code = f"import os; os.environ['DGL_LIBRARY_PATH'] = {folder!r}; import zoo, dgl; dgl.graphbolt.real"
    assert run(code, home, fake).stderr == ""


def test_without_a_native_half_there_is_a_stand_in(home: Path, fake: Path):
    """With a native half for another torch only, graphbolt's code is not run, and using it says why."""
    (fake / "dgl" / "graphbolt" / "libgraphbolt_pytorch_9.8.70.so").touch()
    code = (
        "import zoo, dgl\n"
        "from zoo import dgl_backend\n"
        "assert not hasattr(dgl.graphbolt, 'real') and isinstance(dgl.graphbolt.FusedCSCSamplingGraph, type)\n"
        "print(dgl_backend.why_no_graphbolt())\n"
        "try: dgl.graphbolt.ItemSet\n"
        "except AttributeError as error: print(error)\n"
        "try: import dgl.graphbolt.part\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = run(code, home, fake)
    assert done.stderr == ""
    reason, attribute, submodule = done.stdout.splitlines()
    assert "no native graphbolt for torch 9.8.7" in reason
    assert "ItemSet" in attribute and reason in attribute
    assert "dgl.graphbolt.part" in submodule


def test_a_graphbolt_that_fails_is_replaced(home: Path, fake: Path):
    """If the real one raises half way, what it left behind is cleared, and the reason is its own error."""
    package = fake / "dgl" / "graphbolt"
    (package / "libgraphbolt_pytorch_9.8.7.so").touch()
    (package / "__init__.py").write_text("from . import part\nhalf = True\nimport torchdata.no_datapipes\n")
    code = (
        "import zoo, dgl, sys\n"
        "from zoo import dgl_backend\n"
        "assert not hasattr(dgl.graphbolt, 'half') and not hasattr(dgl.graphbolt, 'part')\n"
        "assert 'dgl.graphbolt.part' not in sys.modules\n"
        "print(dgl_backend.why_no_graphbolt())"
    )
    done = run(code, home, fake)
    assert done.stderr == "" and "does not load: ModuleNotFoundError" in done.stdout


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_have_dgl(method: str, home: Path, tmp_path: Path):
    """A forked child inherits the finder; a spawned one gets it from its main script importing the zoo."""
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "import zoo\n"
        "def count(queue):\n"
        "    import dgl\n"
        "    queue.put(dgl.graph(([0, 1], [1, 0])).num_edges())\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    queue = context.Queue()\n"
        "    child = context.Process(target=count, args=(queue,))\n"
        "    child.start(); print(queue.get(timeout=120)); child.join()\n"
    )
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_package_here", "pip install no_such_package_here"),
        ("raise OSError('libdgl.so: wrong ELF class')", "wrong ELF class"),
    ],
)
def test_a_dgl_that_cannot_be_imported_is_a_user_error(home: Path, fake: Path, source: str, message: str):
    """A missing dependency is named with the command that mends it; any other failure with its own words."""
    (fake / "dgl" / "__init__.py").write_text(source)
    code = (
        "from zoo.errors import ZooError\ntry: from zoo.dgl_backend import dgl\nexcept ZooError as error: print(error)"
    )
    assert message in run(code, home, fake).stdout


def test_a_missing_dgl_is_a_user_error(home: Path):
    """Without DGL the error is the command that installs it."""
    code = (
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'dgl' else find(name, *rest)\n"
        "from zoo.errors import ZooError\n"
        "try: from zoo.dgl_backend import dgl\n"
        "except ZooError as error: print(error)"
    )
    assert "pip install 'dgl>=2.1,<2.3'" in run(code, home).stdout


def test_the_facts_about_this_dgl():
    """Version and CUDA agree with DGL's public interface."""
    from zoo import dgl_backend
    from zoo.dgl_backend import dgl, has_cuda, version

    assert version() == dgl.__version__ and isinstance(has_cuda(), bool)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = dgl_backend.nonsense


DRAWS = """
import sys
from zoo import dgl_backend
import torch
torch.set_num_threads(int(sys.argv[1]))
if sys.argv[2] == "late": dgl_backend.seed(3)
from zoo.dgl_backend import dgl
dgl.utils.set_num_threads(int(sys.argv[1]))
graph = dgl.graph((torch.arange(2000) % 50, torch.arange(2000) // 40))
if sys.argv[2] == "now": dgl_backend.seed(3)
dgl.utils.set_num_threads(1)
if sys.argv[3] == "again": dgl.seed(5)
print(dgl.sampling.sample_neighbors(graph, torch.arange(50), 3).edges()[0].tolist())
"""


def drawn(*arguments: str) -> str:
    """What a new process samples."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    words = [sys.executable, "-c", DRAWS, *arguments]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


def test_dgls_draws_are_those_of_one_thread_in_every_process():
    """With two threads in use, new processes sample what one thread does: the first seeding is no race of threads."""
    assert len({drawn(threads, "now", "again") for threads in ("1", "2", "2", "2")}) == 1


def test_dgl_can_be_seeded_before_it_is_loaded():
    """What is sampled is what a seed after the import gives."""
    assert drawn("1", "late", "once") == drawn("1", "now", "once")
