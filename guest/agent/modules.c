#include "modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		log_line("module %s did not load: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void drop_file(const char *path)
{
	if (unlink(path) < 0)
		log_line("module %s stays in memory: %s", path, strerror(errno));
}

static void each_file(const char *directory, void (*visit)(const char *path))
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			visit(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

void modules_load(const char *directory)
{
	each_file(directory, load_module);
	modules_drop(directory);
}

void modules_drop(const char *directory)
{
	each_file(directory, drop_file);
}
