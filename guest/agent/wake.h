/* What a machine must do before it goes on after a restore. */
#ifndef CATNAP_WAKE_H
#define CATNAP_WAKE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Sets the wall clock, stirs host entropy into the kernel's pool, resets outside TCP. NULL, or which step failed. */
const char *wake_up(const struct timespec *wall_clock, const uint8_t *entropy, size_t entropy_length, uint16_t spared_port);

#endif
