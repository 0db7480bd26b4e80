# Trains, evaluates and shows TensorBoard; docs/servers.md says how.
#   docker build -t carracing-dqn --build-arg REVISION="$(git rev-parse HEAD)" .
#   with --build-arg GPU=1 for NVIDIA GPUs, CLUSTER=1 for Ray, metrics and mirrors, NOTEBOOK=1 for notebooks

# A Python that the lock is made for, on the stable Debian of 2025. No package of Debian is added: every
# dependency is a wheel that brings its libraries.
FROM python:3.13-slim-trixie

# The dependencies in layers of their own: only a new lock makes them anew.
COPY requirements.lock /tmp/
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /tmp/requirements.lock

# CUDA's libraries for the TensorFlow of the lock. The driver is the host's.
ARG GPU=0
COPY requirements-gpu.lock /tmp/
RUN if [ "$GPU" = 1 ]; then /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /tmp/requirements-gpu.lock; fi

# Ray, metrics and mirrors (docs/cluster.md).
ARG CLUSTER=0
COPY requirements-cluster.lock /tmp/
RUN if [ "$CLUSTER" = 1 ]; then /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /tmp/requirements-cluster.lock; fi

# Jupyter, with the tools of the developers whose lock it is in.
ARG NOTEBOOK=0
COPY requirements-dev.lock /tmp/
RUN if [ "$NOTEBOOK" = 1 ]; then /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /tmp/requirements-dev.lock; fi

# Whatever user docker runs this as: /tmp is the home, and runs/ takes files of everybody.
WORKDIR /app
RUN useradd --uid 1000 --no-create-home --home-dir /tmp driver && mkdir -m 1777 runs
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    IN_CONTAINER=1

COPY . .

ARG REVISION=unknown
ENV SOURCE_COMMIT=$REVISION
LABEL org.opencontainers.image.title="carracing-dqn" \
      org.opencontainers.image.description="Deep Q-Networks that learn to race CarRacing-v3 from pixels" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="$REVISION"

USER 1000:1000
EXPOSE 6006
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["/app/boot.sh", "health"]
# Not through a shell: boot.sh is process 1 and gets the signals.
ENTRYPOINT ["/app/boot.sh"]
# The run of this name: begun at the first start, gone on with at every later one.
CMD ["DDQN.py", "--name", "race", "--resume", "auto"]
