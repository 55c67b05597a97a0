#ifndef CATNAP_CONTAINER_EXEC_H
#define CATNAP_CONTAINER_EXEC_H

#include "start-config.h"

/*
 * Finds the program on the container's PATH and becomes it, or the open file `program` when that is not -1; HOME and
 * PATH get values when the image gives none.
 */
void container_exec(const struct start_config *config, const char *home, int program) __attribute__((noreturn));

#endif
