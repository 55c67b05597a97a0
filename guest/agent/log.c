#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "power.h"

static void write_line(const char *format, va_list arguments, const char *suffix)
{
	char line[512], message[400];
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	vsnprintf(message, sizeof(message), format, arguments);
	int length = snprintf(line, sizeof(line), "agent %lld.%03ld %s%s\n", (long long)now.tv_sec, now.tv_nsec / 1000000,
			      message, suffix);
	ssize_t written = write(STDERR_FILENO, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
	(void)written; /* without a console there is nowhere to complain */
}

void log_line(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	write_line(format, arguments, "");
	va_end(arguments);
}

void die(const char *format, ...)
{
	char suffix[100];
	snprintf(suffix, sizeof(suffix), ": %s", strerror(errno));
	va_list arguments;
	va_start(arguments, format);
	write_line(format, arguments, suffix);
	va_end(arguments);
	power_off();
}
