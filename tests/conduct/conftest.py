"""The engine's bench, and a business whose people and hours a test sets."""

from tests.engine.conftest import bench

__all__ = ["bench"]
