/* What the host wants started: the body of the "start" request, parsed. */
#ifndef CATNAP_START_CONFIG_H
#define CATNAP_START_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct start_config {
	char **argv;	/* NULL-terminated, at least one; strings live in the parsed body */
	char **envp;	/* NULL-terminated "NAME=VALUE" */
	const char *working_dir;
	const char *user;
	int stop_signal;
	bool all_capabilities;
};

/*
 * Parses NUL-terminated "key=value" records in place; `body` must outlive the result. Returns NULL, or what is wrong
 * with it; start_config_free either way.
 */
const char *start_config_parse(char *body, size_t length, struct start_config *config);
void start_config_free(struct start_config *config);

#endif
