#ifndef CATNAP_CONTAINER_INIT_H
#define CATNAP_CONTAINER_INIT_H

#include "start-config.h"

/* Runs in the new namespaces: makes the container around itself and becomes the app, or writes a start_failure. */
void container_init(const struct start_config *config, int out, int err, int report) __attribute__((noreturn));

/* Ends the start with a message; `code` is its exit code. errno's text is added unless it is 0. */
void container_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
