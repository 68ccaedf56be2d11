# Two stages, so that the image holds no compiler and no build cache. MongoDB is another container.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gateway gateway
COPY adapters adapters
COPY mappings mappings
COPY config config
RUN python -m venv /opt/gateway \
    && /opt/gateway/bin/pip install --no-cache-dir --constraint constraints.txt '.[export]'

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway \
    && install --directory --owner gateway --group gateway /data
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 XAPI_GATEWAY__DATA__DIR=/data
USER 10001
WORKDIR /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["xapi-gateway"]
CMD ["serve", "--host", "0.0.0.0"]
