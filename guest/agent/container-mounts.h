#ifndef CATNAP_CONTAINER_MOUNTS_H
#define CATNAP_CONTAINER_MOUNTS_H

#include <stdbool.h>

/* Makes the container's mount tree and moves into it; `all` leaves out the protections of /proc and /sys. */
void container_mount(bool all);

#endif
