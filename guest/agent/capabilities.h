#ifndef CATNAP_CAPABILITIES_H
#define CATNAP_CAPABILITIES_H

#include <stdbool.h>

/* Drops all but the container default from the bounding set; nothing when all are wanted. */
bool capabilities_limit_bounding(bool all);
/* Sets the own permitted and effective sets to the same; the inheritable set becomes empty. */
bool capabilities_limit_own(bool all);

#endif
