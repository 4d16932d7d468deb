"""Diagrams: plain data in, (Axes, text alternative) out."""

from resnet_lesson.diagrams.article import article_blocks
from resnet_lesson.diagrams.blocks import block, compare_blocks
from resnet_lesson.diagrams.course import course_map
from resnet_lesson.diagrams.networks import network
from resnet_lesson.diagrams.paths import residual_line, unrolled_paths
from resnet_lesson.diagrams.replicas import data_parallel
from resnet_lesson.diagrams.rows import chains
from resnet_lesson.diagrams.variants import block_orders

__all__ = [
    "article_blocks",
    "block",
    "block_orders",
    "chains",
    "compare_blocks",
    "course_map",
    "data_parallel",
    "network",
    "residual_line",
    "unrolled_paths",
]
