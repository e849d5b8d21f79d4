# Errand as an image: one for the web server, workers and the scheduler; compose.yaml starts them.
#
#   docker build -t errand .
#   docker run --rm errand --help
#
# It runs as nobody in particular, on a root file system that may be read-only: all that is written goes to
# /instance, /data-files and /tmp.

FROM python:3.13-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock /
RUN python -m venv /opt/venv && /opt/venv/bin/python -m pip install --require-hashes -r /requirements.lock

FROM python:3.13-slim-bookworm
# git and ssh fetch sources of jobs; pg_dump and pg_restore make and restore backups.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git openssh-client postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /instance --shell /usr/sbin/nologin errand \
    && install -d -o errand -g errand -m 0700 /instance /data-files
COPY --from=packages /opt/venv /opt/venv
COPY deploy/image/errand /usr/local/bin/errand
COPY jobs /app/jobs
COPY store /app/store
COPY worker /app/worker
COPY webapp /app/webapp
COPY templates /app/templates
COPY static /app/static
COPY migrations /app/migrations
COPY examples /app/examples
COPY pyproject.toml README.md CHANGELOG.md /app/
# Compiled now: nothing can be written there later.
RUN /opt/venv/bin/python -m compileall -q /app /opt/venv
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ERRAND_INSTANCE=/instance
USER 10001:10001
WORKDIR /instance
VOLUME /instance /data-files
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["/opt/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["errand"]
CMD ["web", "--host", "0.0.0.0"]
