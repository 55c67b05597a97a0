/* Small files, whole. */
#ifndef CATNAP_FILE_TEXT_H
#define CATNAP_FILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* At most `most` bytes of a file as a NUL-terminated string (cut where a NUL byte is); NULL with errno. Free it. */
char *file_read(const char *path, size_t most);
/* Writes to a file that exists, such as one of /proc or /sys; false with errno. */
bool file_write(const char *path, const char *text);

#endif
