#ifndef CATNAP_CONTAINER_JOIN_H
#define CATNAP_CONTAINER_JOIN_H

#include <sys/types.h>

#include "session-config.h"

/* The program's ends of its standard streams; unused with a terminal. */
struct join_streams {
	int in;
	int out;
	int err;
};

/*
 * Starts a program beside the app, whose process is `app`, and returns its process id, or -1 with errno. `report` is the
 * child's end of a socket: it carries the terminal's master ('t' and the descriptor), then either a start_failure or
 * nothing, and closes when the program runs.
 */
pid_t container_join(pid_t app, const struct session_config *config, const struct join_streams *streams, int report);

#endif
