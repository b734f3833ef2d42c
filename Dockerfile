# One image for web, worker, scheduler and migrate; docker-compose.yml tells them apart. To pin the base image for
# good, write FROM python:3.13.7-slim-bookworm@sha256:… (docker buildx imagetools inspect shows the digest).
FROM python:3.13.7-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# Before the code, so that a change of the code does not install everything again. Neither tests nor embedded
# servers: those are in requirements-dev.lock.
COPY requirements.lock ./
RUN pip install --require-hashes --no-input -r requirements.lock \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin tocsin

COPY . .

# Nothing below /app is writable for the process; secrets and data come from outside.
USER tocsin
EXPOSE 8000
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--loop", "uvloop", "--http", "config.protocol:Protocol", "--no-access-log", "--no-proxy-headers"]
