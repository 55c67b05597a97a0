#include "session-members.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file-text.h"

/* "pid (name) state parent group session …"; a name may hold anything, so it ends at the last parenthesis. */
static pid_t session_of_process(const char *pid)
{
	char path[300];
	int session = 0;
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	char *text = file_read(path, 4096);
	const char *after_name = text == NULL ? NULL : strrchr(text, ')');
	if (after_name == NULL || sscanf(after_name, ") %*c %*d %*d %d", &session) != 1)
		session = 0;
	free(text);
	return session;
}

/* One at a time and not the group: jobs of a shell have groups of their own. Who ignores it, as nohup does, stays. */
void session_members_hang_up(pid_t leader)
{
	struct dirent *entry;
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return;
	while ((entry = readdir(processes)) != NULL) {
		int pid = atoi(entry->d_name);
		if (pid <= 1 || session_of_process(entry->d_name) != leader)
			continue;
		kill(pid, SIGHUP);
		kill(pid, SIGCONT);
	}
	closedir(processes);
}
