"""The test of a corpus is collected where there is one."""

import os

collect_ignore = [] if "RECONCILER_CORPUS" in os.environ else ["test_corpus.py"]
