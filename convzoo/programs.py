"""Compiled programs that are kept on disk, so that the second start of a command compiles nothing."""

import os
from pathlib import Path

import jax

from convzoo.files import cache_directory

SWITCH = "CONVZOO_KEEP_PROGRAMS"
"""Environment variable: `0` compiles anew in every process."""
SIZE = 2 << 30
"""Bytes after which the programs that were not used for longest are removed."""


def keep() -> Path | None:
    """Keep what this process compiles in the user's cache directory, and take from there what was compiled before.

    The commands of `train` and `analysis` call it. A folder that JAX was told to use already, as by
    `JAX_COMPILATION_CACHE_DIR`, stays.

    Returns:
      The folder; None where `CONVZOO_KEEP_PROGRAMS=0`, and nothing has changed.

    Example:
      >>> from convzoo import programs
      >>> programs.keep()  # doctest: +SKIP
      PosixPath('/home/user/.cache/convzoo/programs')
    """
    if os.environ.get(SWITCH) == "0":
        return None
    if chosen := jax.config.values["jax_compilation_cache_dir"]:
        return Path(chosen)
    folder = cache_directory() / "programs"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", SIZE)
    # By default small programs are compiled anew, and a start compiles hundreds of them.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
