# A Docker engine in the microVM, and in it a container whose port the endpoint reaches.
dockerd >/var/log/dockerd.log 2>&1 &
until docker version >/dev/null 2>&1; do sleep 0.2; done
tar -C /inner -c . | docker import - inner
exec docker run --rm --hostname nested --memory 64m --tmpfs /tmp --publish 127.0.0.1:8080:8080 inner \
  /bin/busybox httpd -f -p 8080 -h /www
