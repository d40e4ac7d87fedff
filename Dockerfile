# prefsweep with its engines: one environment per lock of envs/, CUDA by default, the CPU with --build-arg DEVICE=cpu.
#
#   docker build -t prefsweep .
#   docker build -t prefsweep:cpu --build-arg DEVICE=cpu .
#   docker build -t prefsweep:cpu --build-arg DEVICE=cpu --build-arg BASE_IMAGE=my-registry/debian:12 .
#
# docs/container.md says what is in the image and why.
ARG DEVICE=cuda
ARG BASE_IMAGE=${DEVICE}-base

# CUDA 13.0 as the locks' cuda-toolkit. The small flavour: libraries and compilers of CUDA come with the wheels, so
# what counts is NVIDIA's forward-compatibility driver and the check that the host's driver is new enough.
FROM nvidia/cuda:13.0.3-base-ubuntu24.04@sha256:7c7413a56200486f71f181cad9310f6fd31b6bb21816ade15fc9c1e1e927a5c1 AS cuda-base
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS cpu-base

# What every later stage stands on: Python with headers, a compiler (Triton and inductor build launchers), an init.
FROM ${BASE_IMAGE} AS base
COPY docker/python.sh envs/cpu/workflow.txt /tmp/python/
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates g++ libnuma1 tini \
    && sh /tmp/python/python.sh /tmp/python/workflow.txt \
    && rm -rf /var/lib/apt/lists/* /tmp/*

# The heavy part, made again only when a lock or the set-up itself changes. Environments share a package's files:
# they are links into the installer's cache, which lies beside them and is left out of the next stage.
FROM base AS environments
ARG DEVICE
WORKDIR /prefsweep
COPY scripts/setup.py scripts/setup.py
COPY scripts/prefsweep/__init__.py scripts/prefsweep/environments.py scripts/prefsweep/package_sources.py scripts/prefsweep/files.py scripts/prefsweep/
COPY envs envs
ENV PREFSWEEP_ENVS=/opt/prefsweep
RUN UV_CACHE_DIR=/opt/prefsweep/cache python3.11 scripts/setup.py --device ${DEVICE} \
    && rm -rf /opt/prefsweep/cache /root/.cache

FROM base
ARG DEVICE
COPY --from=environments /opt/prefsweep /opt/prefsweep
COPY . /prefsweep
# Any user may run this, with a read-only root: what is written goes to /work (the caller's folder), /cache and /tmp.
RUN install -d -m 1777 /cache && install -d /work
VOLUME ["/cache", "/tmp"]
ENV PREFSWEEP_DEVICE=${DEVICE} \
    PREFSWEEP_ENVS=/opt/prefsweep \
    PREFSWEEP_MODELS=/cache/models \
    HOME=/cache \
    XDG_CACHE_HOME=/cache \
    XDG_CONFIG_HOME=/cache/config \
    HF_HOME=/cache/huggingface \
    MODELSCOPE_CACHE=/cache/modelscope \
    VLLM_CACHE_ROOT=/cache/vllm \
    VLLM_CONFIG_ROOT=/cache/config/vllm \
    TRITON_CACHE_DIR=/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor \
    FLASHINFER_WORKSPACE_BASE=/cache \
    CUDA_HOME=/opt/prefsweep/${DEVICE}/serve/lib/python3.11/site-packages/nvidia/cu13 \
    USER=prefsweep \
    LOGNAME=prefsweep \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /work
USER 1000:1000
# The init hands signals to the whole process group, so that `docker stop` reaches every job.
ENTRYPOINT ["tini", "-g", "--", "/prefsweep/docker/entrypoint.sh"]
ARG VERSION=0
ARG REVISION=unknown
ENV PREFSWEEP_REVISION=${REVISION}
LABEL org.opencontainers.image.title="prefsweep" \
      org.opencontainers.image.description="Which preference-optimisation method is worth using, and how sure can you be?" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
