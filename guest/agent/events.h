/* The event stream: the app's output and its end, pushed to the host as they happen. */
#ifndef CATNAP_EVENTS_H
#define CATNAP_EVENTS_H

#include <stdint.h>

/* Takes over `host_fd`; replies, then sends frames from byte `offset` of the output on. */
void events_open(int host_fd, uint64_t offset);
/* Something happened: sends it to every stream that can take it. */
void events_push(void);

#endif
