#ifndef CATNAP_REPLY_H
#define CATNAP_REPLY_H

#include <stdbool.h>

/* Sends one line, cut to the contract's length and made printable; false when the host does not take it. */
bool reply_line(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
