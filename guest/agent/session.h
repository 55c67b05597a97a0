/* Programs the host runs beside the app, in its container: a shell on a terminal, or a command on pipes. */
#ifndef CATNAP_SESSION_H
#define CATNAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct session_request {
	char *body; /* allocated; the session frees it */
	size_t body_length;
	/* What the host sent after the body already. */
	const char *early;
	size_t early_length;
};

/* Takes over `host_fd`; replies when the program runs, then carries frames until it ends or the host goes away. */
void session_open(int host_fd, struct session_request request);
/* A child was reaped that is not the app. */
void session_child_ended(pid_t pid, int exit_code);

#endif
