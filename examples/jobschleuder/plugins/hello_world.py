from loguru import logger
from veritas.plugin import jobschleuder


@jobschleuder("hello_world")
def hello_world(*args, **kwargs):
    """Say hello to what `hello` names."""
    logger.success("Hello {}", kwargs.get("hello", "there"))
