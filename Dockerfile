# nginx with the module, for a Redis beside it: see README.md, "Docker".

FROM debian:bookworm-slim AS build

WORKDIR /src
COPY . .
RUN scripts/build


FROM debian:bookworm-slim

# the same nginx that the module was built for, and the libraries it needs

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl libcurl4 libhiredis0.14 libyajl2 nginx \
    && rm -rf /var/lib/apt/lists/* \
    && ln -sf /dev/stdout /var/log/nginx/access.log \
    && ln -sf /dev/stderr /var/log/nginx/error.log \
    && chown -R www-data /run /var/lib/nginx /var/log/nginx

COPY --from=build /src/.build/ngx_http_pki_module.so /usr/lib/nginx/modules/
COPY --from=build /src/.build/pki-admin /usr/local/bin/
COPY --from=build /src/conf/nginx.conf /etc/nginx/nginx.conf

USER www-data
EXPOSE 8080
STOPSIGNAL SIGQUIT

HEALTHCHECK --interval=10s --timeout=3s \
    CMD curl -fsS -o /dev/null http://127.0.0.1:8080/probe || exit 1

CMD ["nginx", "-g", "daemon off;"]
