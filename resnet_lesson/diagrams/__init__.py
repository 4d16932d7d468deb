"""Diagrams: plain data in, (Axes, text alternative) out."""
# ruff: noqa: F401 - the names that this room offers.

from .article import article_blocks
from .blocks import block, compare_blocks
from .course import course_map
from .networks import network
from .paths import residual_line, unrolled_paths
from .replicas import data_parallel
from .rows import chains
from .variants import block_orders
