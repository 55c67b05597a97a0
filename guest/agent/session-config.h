/* What a session runs: the body of the "session" request, laid over what the app was started with. */
#ifndef CATNAP_SESSION_CONFIG_H
#define CATNAP_SESSION_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "start-config.h"

struct session_config {
	/* Program, environment, directory, user and capabilities; strings live in the body and in the app's config. */
	struct start_config program;
	bool has_terminal;
	unsigned short columns;
	unsigned short rows;
	/* Run the agent's own busybox instead of a file of the image. */
	bool is_busybox;
};

/*
 * Parses NUL-terminated "key=value" records in place; `body` and `app` must outlive the result. Returns NULL, or what is
 * wrong with it; session_config_free either way.
 */
const char *session_config_parse(char *body, size_t length, const struct start_config *app, struct session_config *config);
void session_config_free(struct session_config *config);

#endif
