"""WAHA's published and recorded bodies, read in place where they are; else nothing is collected."""

from tests.conformance.bodies import FOLDER

collect_ignore_glob = [] if FOLDER.is_dir() else ["test_*.py"]
