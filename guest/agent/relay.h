/* Byte streams from the host to the app's ports. */
#ifndef CATNAP_RELAY_H
#define CATNAP_RELAY_H

#include <stddef.h>
#include <stdint.h>

/* Takes over `host_fd` and the bytes that came after the preface; replies, then carries bytes until both ends close. */
void relay_open(int host_fd, uint16_t port, const char *early, size_t early_length);

#endif
