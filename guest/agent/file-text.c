#include "file-text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *read_all(int fd, size_t most)
{
	size_t room = 4096, length = 0;
	char *text = malloc(room);
	while (text != NULL) {
		size_t want = room - 1 - length;
		if (want > most - length)
			want = most - length;
		ssize_t got = want > 0 ? read(fd, text + length, want) : 0;
		if (got < 0) {
			free(text);
			return NULL;
		}
		length += (size_t)got;
		if (got == 0) {
			text[length] = '\0';
			return text;
		}
		if (room - 1 == length) {
			char *larger = realloc(text, room *= 2);
			if (larger == NULL)
				free(text);
			text = larger;
		}
	}
	return NULL;
}

char *file_read(const char *path, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	char *text = read_all(fd, most);
	close(fd);
	return text;
}

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size_t length = strlen(text);
	bool written = write(fd, text, length) == (ssize_t)length;
	close(fd);
	return written;
}
