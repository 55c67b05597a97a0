#include "container-failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container.h"

static int report_fd = -1;

void container_report_to(int report)
{
	report_fd = report;
}

void container_fail(int code, const char *format, ...)
{
	int error = errno;
	struct start_failure failure = {.exit_code = code};
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(failure.message, sizeof(failure.message), format, arguments);
	va_end(arguments);
	if (error != 0 && length >= 0 && (size_t)length < sizeof(failure.message))
		snprintf(failure.message + length, sizeof(failure.message) - (size_t)length, ": %s", strerror(error));
	ssize_t written = write(report_fd, &failure, sizeof(failure));
	(void)written;
	_exit(code);
}
