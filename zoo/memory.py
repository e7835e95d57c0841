"""Process memory on CPU: kept from one computation to the next instead of being requested each time.

XLA on CPU allocates what a program needs for its intermediate results in one piece, at every call. The C library of
Linux takes so large a piece from the system and gives it back, and the system hands it out page by page, each
filled with zeros first. In a training step of ResNet-50 on 8 images that is 190,000 pages of 4 KiB, and 10 to 38 %
of the time.
"""

import ctypes
import mmap
import os

# Parameters of mallopt, from malloc.h of the GNU C library.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
# Of a huge page on x86, and on ARM with pages of 4 KiB.
_HUGE = 2 << 20


def keep_memory() -> bool:
    """Let this process keep the memory that it frees, in huge pages where the system offers them (Linux, on CPU).

    Call it at the top of a script or notebook. After the first computation it is too late: threads that have
    allocated before go on as they did. The commands of `train` and `analysis` call it.

    Results stay the same, and a training step takes down to half the time (docs/benchmarks.md). What it costs: the
    process holds on to the most memory that it ever had, and that can be a quarter more where large arrays of many
    sizes come and go; large arrays of zeros take memory when they are made, not when they are written to; XLA
    compiles up to a quarter longer; and half of the machine's memory is set aside as addresses, without memory behind
    them, which `top` shows as virtual.

    Returns:
      True; False where the C library is not that of GNU (macOS, Windows, musl), and nothing has changed.

    Example:
      >>> import zoo
      >>> zoo.keep_memory()  # doctest: +SKIP
      True
    """
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return False
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    # All threads share one heap, nothing comes from the system apart from it, and none of it goes back.
    for name, value in {_ARENA_MAX: 1, _MMAP_MAX: 0, _TRIM_THRESHOLD: -1}.items():
        library.mallopt(name, value)
    _reserve_huge_pages(library, os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE // 2)
    return True


def _reserve_huge_pages(library: ctypes.CDLL, size: int) -> None:
    """Stretch the heap by as many addresses, or by half as many where a limit forbids it, and so on."""
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    while size > _HUGE:
        if start := library.malloc(size):
            first, last = -(-start // _HUGE), (start + size) // _HUGE
            library.madvise(first * _HUGE, (last - first) * _HUGE, mmap.MADV_HUGEPAGE)
            library.free(start)
            return
        size //= 2
