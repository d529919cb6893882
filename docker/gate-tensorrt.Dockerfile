# The gate on an NVIDIA GPU: TensorRT 10, CUDA 13. Needs a driver for CUDA 13 and the NVIDIA
# container toolkit on the host.
#   docker build -f docker/gate-tensorrt.Dockerfile -t sonogate:0.1.0-tensorrt .
#   docker run --gpus all ...
# No CUDA base image: the packages bring CUDA, cuDNN and TensorRT, the toolkit brings the driver.

FROM python:3.11.15-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/sonogate && /opt/sonogate/bin/pip install pip==26.3
WORKDIR /src
COPY constraints.txt docker/constraints-gpu.txt ./
# onnxruntime and onnxruntime-gpu fill the same folder: only the GPU's is installed.
# TensorRT first and by itself: a large layer that changes rarely.
RUN /opt/sonogate/bin/pip install \
        --constraint constraints.txt --constraint constraints-gpu.txt \
        "onnxruntime-gpu[cuda,cudnn]" tensorrt
COPY pyproject.toml README.md LICENSE ./
COPY service/src service/src
COPY models/src models/src
COPY models/zoo models/zoo
RUN /opt/sonogate/bin/pip install \
        --constraint constraints.txt --constraint constraints-gpu.txt \
        --build-constraint constraints.txt ".[gpu]" \
    && /opt/sonogate/bin/pip uninstall --yes pip setuptools

FROM python:3.11.15-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sonogate \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin sonogate \
    && install --directory --owner sonogate --group sonogate --mode 0750 /var/lib/sonogate
COPY --from=build /opt/sonogate /opt/sonogate
COPY docker/healthcheck.py /opt/sonogate/healthcheck.py
# onnxruntime opens these by name; they lie in the packages' own folders.
ENV LD_LIBRARY_PATH=/opt/sonogate/lib/python3.11/site-packages/tensorrt_libs:/opt/sonogate/lib/python3.11/site-packages/nvidia/cu13/lib:/opt/sonogate/lib/python3.11/site-packages/nvidia/cudnn/lib
ENV PATH=/opt/sonogate/bin:$PATH \
    HOME=/var/lib/sonogate \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    SONOGATE_DATA_DIR=/var/lib/sonogate
USER 10001:10001
VOLUME /var/lib/sonogate
EXPOSE 11112 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "/opt/sonogate/healthcheck.py"]
ENTRYPOINT ["sonogate"]
CMD ["serve"]
