/* Pseudo terminals of the container. */
#ifndef CATNAP_TERMINAL_H
#define CATNAP_TERMINAL_H

#include <stdbool.h>

/*
 * In the container: makes a terminal, the controlling one of the calling session leader and its standard streams.
 * Returns the master, or -1 with errno.
 */
int terminal_open(unsigned short columns, unsigned short rows);
/* Sets the size; the programs on the terminal get SIGWINCH when it changed. */
void terminal_resize(int master, unsigned short columns, unsigned short rows);

/* Sends a descriptor as a message of its own. */
bool descriptor_send(int socket, int fd);

#endif
