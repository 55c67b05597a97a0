/** A page that counts in memory and on disk, "3 3", in a container of nothing but busybox. */
const COUNT =
  "n=$(($(busybox cat /dev/shm/n 2>/dev/null || echo 0)+1)); echo $n >/dev/shm/n; d=$(($(busybox cat /n 2>/dev/null || echo 0)+1)); echo $d >/n; echo $n $d";

export const COUNTER_ARCHIVE = `
z.write("busybox")
z.writestr("count", ${JSON.stringify(`#!/bin/busybox sh\nexport PATH=/bin\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n${COUNT}\n`)})
z.writestr("Dockerfile", """FROM scratch
COPY busybox /bin/busybox
COPY count /www/cgi-bin/
RUN ["/bin/busybox", "chmod", "755", "/www/cgi-bin/count"]
EXPOSE 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
""")`;
