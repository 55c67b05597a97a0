#include "container-exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container-failure.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *value_in(char **envp, const char *name)
{
	size_t length = strlen(name);
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

static char **with_defaults(char **envp, const char *home)
{
	static char path_entry[] = "PATH=" DEFAULT_PATH;
	static char home_entry[300];
	size_t count = 0;
	while (envp[count] != NULL)
		count++;
	char **full = calloc(count + 3, sizeof(char *));
	if (full == NULL)
		container_fail(125, "environment");
	memcpy(full, envp, count * sizeof(char *));
	snprintf(home_entry, sizeof(home_entry), "HOME=%s", home);
	if (value_in(envp, "PATH") == NULL)
		full[count++] = path_entry;
	if (value_in(envp, "HOME") == NULL)
		full[count] = home_entry;
	return full;
}

static void fail_exec(const char *program, int error)
{
	errno = error;
	bool missing = error == ENOENT || error == ENOTDIR;
	container_fail(missing ? 127 : 126, "exec: \"%.300s\"", program);
}

/* Tries each directory of PATH; returns only when the program is in none, or the one found cannot run. */
static void exec_on_path(char **argv, char **envp)
{
	int denied = 0;
	char candidate[4096];
	for (const char *at = value_in(envp, "PATH"); at != NULL;) {
		size_t length = strcspn(at, ":");
		const char *slash = length == 0 ? "./" : "/";
		int wanted = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)length, at, slash, argv[0]);
		if (wanted > 0 && (size_t)wanted < sizeof(candidate)) {
			execve(candidate, argv, envp);
			if (errno == EACCES)
				denied = errno;
			else if (errno != ENOENT && errno != ENOTDIR)
				fail_exec(candidate, errno);
		}
		at = at[length] == ':' ? at + length + 1 : NULL;
	}
	if (denied != 0)
		fail_exec(argv[0], denied);
}

void container_exec(const struct start_config *config, const char *home, int program)
{
	char **envp = with_defaults(config->envp, home);
	if (program >= 0) {
		fexecve(program, config->argv, envp);
		fail_exec(config->argv[0], errno);
	}
	if (strchr(config->argv[0], '/') != NULL) {
		execve(config->argv[0], config->argv, envp);
		fail_exec(config->argv[0], errno);
	}
	exec_on_path(config->argv, envp);
	errno = 0;
	container_fail(127, "exec: \"%.300s\": executable file not found in $PATH", config->argv[0]);
}
