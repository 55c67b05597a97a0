/*
 * Preloaded into QEMU before 8.2, which opens the file behind guest memory for writing even when the mapping is private.
 * The file is the template of many machines: a monitor must not hold a descriptor it could change it through. The one
 * file that CATNAP_READ_ONLY_FILE names is opened for reading only; a private mapping needs no more.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef int opener(const char *, int, ...);

static int without_writing(const char *path, int flags)
{
	const char *file = getenv("CATNAP_READ_ONLY_FILE");
	if (file == NULL || strcmp(path, file) != 0)
		return flags;
	return (flags & ~(O_ACCMODE | O_CREAT | O_TRUNC)) | O_RDONLY;
}

int open64(const char *path, int flags, ...)
{
	static opener *next;
	mode_t mode = 0;
	if (next == NULL)
		next = (opener *)dlsym(RTLD_NEXT, "open64");
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
		va_list rest;
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	return next(path, without_writing(path, flags), mode);
}

int __open64_2(const char *path, int flags);

/* What a checked open without a mode is compiled to. */
int __open64_2(const char *path, int flags)
{
	return open64(path, flags);
}
