# The gate on a CPU.
#   docker build -f docker/gate.Dockerfile -t sonogate:0.1.0 .
# constraints.txt pins every package, the build backend included.

FROM python:3.11.15-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/sonogate && /opt/sonogate/bin/pip install pip==26.3
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY service/src service/src
COPY models/src models/src
COPY models/zoo models/zoo
RUN /opt/sonogate/bin/pip install \
        --constraint constraints.txt --build-constraint constraints.txt ".[cpu]" \
    && /opt/sonogate/bin/pip uninstall --yes pip setuptools

FROM python:3.11.15-slim-bookworm
# A trust store, so that webhooks of a hospital's own authority can be added to it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sonogate \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin sonogate \
    && install --directory --owner sonogate --group sonogate --mode 0750 /var/lib/sonogate
COPY --from=build /opt/sonogate /opt/sonogate
COPY docker/healthcheck.py /opt/sonogate/healthcheck.py
ENV PATH=/opt/sonogate/bin:$PATH \
    HOME=/var/lib/sonogate \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SONOGATE_DATA_DIR=/var/lib/sonogate
USER 10001:10001
VOLUME /var/lib/sonogate
EXPOSE 11112 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "/opt/sonogate/healthcheck.py"]
ENTRYPOINT ["sonogate"]
CMD ["serve"]
