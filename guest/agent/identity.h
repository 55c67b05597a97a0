/* Who the container is: the same in every clone of a snapshot until the host says otherwise. */
#ifndef CATNAP_IDENTITY_H
#define CATNAP_IDENTITY_H

#include <stdbool.h>

#define MAX_HOSTNAME_BYTES 63
#define MACHINE_ID_DIGITS 32

/* Gives the app's container a host name and a machine id, in the kernel and in its files; false with errno. */
bool identity_set(const char *hostname, const char *machine_id);

#endif
