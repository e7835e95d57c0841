"""Strictness and speed for every test: no silent promotion of dtypes or ranks, and little time spent in the compiler.

Most of the suite's time is compilation. Tests are compiled with few optimizations, unless they are marked
`optimized` because they are about the optimized program: bit-equality, resuming, fusion, long ascents.
Compiled programs are kept in `.cache/xla`, for both workers and for the next run.
"""

import functools
import gc
import os
from collections import Counter
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Through the environment, so that the commands which tests start share the cache.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import jax
import pytest
from jax._src import compiler

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Scripts, some of which run in environments of their own.
collect_ignore = ["goldens", "benchmarks"]

# Kernels of fusions that LLVM takes half as long to compile; in one piece, since each worker has one core.
QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
COMPILATION = "/jax/core/compile/backend_compile_duration"
FLAG = "jax_disable_most_optimizations"


def pytest_addoption(parser):
    parser.addoption("--all-optimized", action="store_true", help="optimize what every test compiles, as users do")
    parser.addoption("--compile-times", type=int, default=0, metavar="N", help="list the N tests that compile longest")


def pytest_configure(config):
    config.pluginmanager.register(Compilation(config), "compilation")


def pytest_collection_modifyitems(items):
    """Optimized tests first: a worker switches once, because the programs compiled so far are forgotten then."""
    items.sort(key=lambda item: item.get_closest_marker("optimized") is None)


def compiled_quickly(options):
    """Wrap JAX's choice of compiler options: with few optimizations, `QUICK` as well, for which JAX has no flag."""

    @functools.wraps(options)
    def chosen(*args, **kwargs):
        answer = options(*args, **kwargs)
        if jax.config.values[FLAG]:
            answer.env_option_overrides = [*answer.env_option_overrides, *QUICK.items()]
        return answer

    return chosen


compiler.get_compile_options = compiled_quickly(compiler.get_compile_options)


def pytest_collection_finish():
    """Search for cyclic garbage seldom: traces make many objects, and little of it."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


class Compilation:
    """Decides how a test is compiled, and adds up how long that takes."""

    def __init__(self, config):
        self.optimize_all = config.getoption("--all-optimized")
        self.listed = config.getoption("--compile-times")
        self.seconds = Counter()
        self.test = ""
        if self.listed:
            jax.monitoring.register_event_duration_secs_listener(self.note)

    def note(self, event, seconds, **_):
        if event == COMPILATION:
            self.seconds[self.test] += seconds

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        self.test = item.nodeid
        optimize = self.optimize_all or item.get_closest_marker("optimized") is not None
        if jax.config.values[FLAG] == optimize:
            jax.config.update(FLAG, not optimize)
            os.environ[FLAG.upper()] = str(int(not optimize))
            jax.clear_caches()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item):
        item.user_properties.append(("compilation", self.seconds[item.nodeid]))

    def pytest_runtest_logreport(self, report):
        if report.when == "teardown":
            self.seconds[report.nodeid] = dict(report.user_properties).get("compilation", 0.0)

    def pytest_terminal_summary(self, terminalreporter):
        if self.listed:
            terminalreporter.section(f"seconds of compilation, {sum(self.seconds.values()):.0f} in all")
            for test, seconds in self.seconds.most_common(self.listed):
                terminalreporter.line(f"{seconds:7.2f}  {test}")
