#ifndef CATNAP_CONTAINER_INIT_H
#define CATNAP_CONTAINER_INIT_H

#include "start-config.h"

/* Runs in the new namespaces: makes the container around itself and becomes the app, or writes a start_failure. */
void container_init(const struct start_config *config, int out, int err, int report) __attribute__((noreturn));

/* First steps of every process of the container: a session of its own, no descriptors, ordinary signals, the cgroup. */
void container_prepare(int report);
/* Last steps, in the container's namespaces: limits, user, program. `program` is as for container_exec. */
void container_become(const struct start_config *config, int program) __attribute__((noreturn));

#endif
