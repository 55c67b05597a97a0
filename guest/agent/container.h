/* The app's container: namespaces, root, limits, user, exec. */
#ifndef CATNAP_CONTAINER_H
#define CATNAP_CONTAINER_H

#include <stddef.h>
#include <sys/types.h>

#include "start-config.h"

/* As the service names it (contract 9). */
#define APP_CGROUP "/sys/fs/cgroup/system.slice/app"

struct start_failure {
	/* As a shell and container runtimes have it: 126 cannot be executed, 127 not found, 125 anything else. */
	int exit_code;
	char message[400];
};

/*
 * Starts the app with the given stdout and stderr; returns its process id once its program runs, or -1 with the
 * reason. The process of a failed start is already reaped.
 */
pid_t container_start(const struct start_config *config, int out, int err, struct start_failure *failure);

#endif
