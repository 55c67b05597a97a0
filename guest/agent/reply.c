#include "reply.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include "protocol.h"

bool reply_line(int fd, const char *format, ...)
{
	char line[MAX_LINE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int wanted = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (wanted < 0)
		return false;
	size_t length = (size_t)wanted < sizeof(line) ? (size_t)wanted : sizeof(line) - 1;
	for (size_t i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[length++] = '\n';
	return send(fd, line, length, MSG_NOSIGNAL) == (ssize_t)length;
}
