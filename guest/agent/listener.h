#ifndef CATNAP_LISTENER_H
#define CATNAP_LISTENER_H

/* Accepts the host's connections on the guest's network address, and nobody else's. */
void listener_open(void);

#endif
