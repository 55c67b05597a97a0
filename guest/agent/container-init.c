#include "container-init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capabilities.h"
#include "container.h"
#include "container-exec.h"
#include "container-failure.h"
#include "container-mounts.h"
#include "file-text.h"
#include "user-lookup.h"

#define MAX_USER_FILE_BYTES (1024 * 1024)
#define NOFILE_LIMIT 1024

static void check(bool done, const char *what)
{
	if (!done)
		container_fail(125, "%s", what);
}

/* From the container's own /dev, so that the app finds the path of its stdin. */
static void set_standard_input(void)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	check(in >= 0 && dup2(in, STDIN_FILENO) >= 0, "stdin");
}

static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int number = 1; number <= 64; number++)
		signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void join_cgroup(void)
{
	mkdir("/sys/fs/cgroup/system.slice", 0755);
	mkdir(APP_CGROUP, 0755);
	check(file_write(APP_CGROUP "/cgroup.procs", "0"), "joining the cgroup");
}

static void find_user(const char *spec, struct container_user *user)
{
	char *passwd = file_read("/etc/passwd", MAX_USER_FILE_BYTES);
	char *group = file_read("/etc/group", MAX_USER_FILE_BYTES);
	const char *wrong = user_lookup(spec, passwd == NULL ? "" : passwd, group == NULL ? "" : group, user);
	errno = 0;
	if (wrong != NULL)
		container_fail(125, "unable to find user %s: %s", spec, wrong);
	free(passwd);
	free(group);
}

static void make_directories(char *path)
{
	for (char *at = path + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
	mkdir(path, 0755);
}

static void enter_working_directory(const char *path)
{
	char *copy = strdup(path);
	check(copy != NULL, "memory");
	make_directories(copy);
	free(copy);
	if (chdir(path) < 0)
		container_fail(125, "chdir to WORKDIR %s", path);
}

static void become_user(const struct container_user *user, bool all_capabilities)
{
	/* A user other than root must be able to reopen /dev/stdout, which leads to these pipes. */
	check(fchown(STDOUT_FILENO, user->uid, user->gid) == 0 && fchown(STDERR_FILENO, user->uid, user->gid) == 0, "chown");
	check(capabilities_limit_bounding(all_capabilities), "dropping capabilities");
	check(setgroups(user->group_count, user->groups) == 0, "setgroups");
	check(setresgid(user->gid, user->gid, user->gid) == 0, "setgid");
	check(setresuid(user->uid, user->uid, user->uid) == 0, "setuid");
	check(user->uid != 0 || capabilities_limit_own(all_capabilities), "setting capabilities");
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
}

void container_become(const struct start_config *config, int program)
{
	struct container_user user;
	struct rlimit files = {NOFILE_LIMIT, NOFILE_LIMIT};
	find_user(config->user, &user);
	enter_working_directory(config->working_dir);
	check(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
	become_user(&user, config->all_capabilities);
	container_exec(config, user.home, program);
}

void container_prepare(int report)
{
	container_report_to(report);
	setsid();
	umask(022);
	/* Nothing of the agent leaks into the program; the report closes itself at exec. */
	check(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0, "close_range");
	reset_signals();
	join_cgroup();
}

void container_init(const struct start_config *config, int out, int err, int report)
{
	container_prepare(report);
	check(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0, "stdout");
	container_mount(config->all_capabilities);
	set_standard_input();
	check(sethostname("localhost", strlen("localhost")) == 0, "sethostname");
	container_become(config, -1);
}
