# The hub as one image: `serve` by default, `worker` for the jobs, on your PostgreSQL and Redis.
#   docker build -t journey-hub .
#   docker run --env HUB_DATABASE_URL=… --env HUB_REDIS_URL=… --env HUB_SECRET_KEY=… journey-hub db upgrade
#   docker run -p 8000:8000 --env … journey-hub
#   docker run --env … journey-hub worker
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hub ./hub
COPY plugins ./plugins
COPY examples/blueprints ./examples/blueprints
COPY examples/queries ./examples/queries
RUN python -m venv /opt/hub \
 && /opt/hub/bin/pip install . ./plugins/segment ./plugins/stripe ./plugins/inapp ./plugins/intercom \
    ./plugins/webhook_out

FROM python:3.12-slim
ENV PATH=/opt/hub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HUB_HOST=0.0.0.0 \
    HUB_PORT=8000 \
    HUB_LOG_FORMAT=json \
    HUB_DATA_DIR=/var/lib/hub
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/hub hub
COPY --from=build /opt/hub /opt/hub
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["hub"]
CMD ["serve"]
