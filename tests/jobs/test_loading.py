"""Job classes that are not where a run expects them."""

from pathlib import Path

import pytest

from jobs.loading import JobNotFound, Source, load_class


def test_a_worker_that_was_there_before_a_plugin_says_what_it_lacks(tmp_path: Path):
    sources = [Source("local", (tmp_path,))]
    with pytest.raises(JobNotFound, match=r"to run it!$"):
        load_class(sources, "local/greets/Greets")
    with pytest.raises(JobNotFound, match=r"Was this worker started before the plugin was installed\?$"):
        load_class(sources, "plugins/acme.greets/Greets")
