"""Where this instance's jobs come from."""

from jobs.loading import Source
from store.plugins import load_plugins
from store.settings import Settings


def job_sources(settings: Settings) -> list[Source]:
    """Return the jobs folders as `local`, and the jobs of all plugins as `plugins`."""
    modules = [module for plugin in load_plugins(settings) for module in plugin.jobs]
    sources = [Source("local", folders=tuple(str(folder) for folder in settings.jobs_roots))]
    return [*sources, Source("plugins", modules=tuple(modules))] if modules else sources
