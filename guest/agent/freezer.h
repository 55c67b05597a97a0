/* Stops and goes on with every process of the container at once. */
#ifndef CATNAP_FREEZER_H
#define CATNAP_FREEZER_H

#include <stdbool.h>

/* False when nothing was frozen: there is no app, or a process of it cannot be stopped. Then all of it runs on. */
bool freezer_freeze(void);
void freezer_thaw(void);
bool freezer_is_frozen(void);

#endif
