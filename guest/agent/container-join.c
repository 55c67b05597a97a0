#include "container-join.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot.h"
#include "container-failure.h"
#include "container-init.h"
#include "log.h"
#include "terminal.h"

static void use_streams(const struct join_streams *streams)
{
	if (dup2(streams->in, STDIN_FILENO) < 0 || dup2(streams->out, STDOUT_FILENO) < 0 || dup2(streams->err, STDERR_FILENO) < 0)
		container_fail(125, "standard streams");
}

static void use_terminal(const struct session_config *config, int report)
{
	int master = terminal_open(config->columns, config->rows);
	if (master < 0 || !descriptor_send(report, master))
		container_fail(125, "opening a terminal");
	close(master);
}

static void join(int app, const struct session_config *config, const struct join_streams *streams, int report)
{
	container_prepare(report);
	/* Before it has given up the agent's rights nobody in the container may look into it, or through it at the agent. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	int busybox = config->is_busybox ? open(TOOLS "/busybox", O_RDONLY | O_CLOEXEC) : -1;
	if (config->is_busybox && busybox < 0)
		container_fail(127, "the agent's busybox");
	if (setns(app, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0)
		container_fail(125, "entering the container");
	if (config->has_terminal)
		use_terminal(config, report);
	else
		use_streams(streams);
	container_become(&config->program, busybox);
}

/* Children are born into the process namespace set last; the agent's own one comes back at once. */
static pid_t fork_into(int app)
{
	int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(app, CLONE_NEWPID) < 0) {
		int error = errno;
		close(own);
		errno = error;
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0)
		return 0;
	int error = errno;
	if (setns(own, CLONE_NEWPID) < 0)
		die("leaving the container's process namespace");
	close(own);
	errno = error;
	return pid;
}

pid_t container_join(pid_t app, const struct session_config *config, const struct join_streams *streams, int report)
{
	int process = (int)syscall(SYS_pidfd_open, app, 0);
	if (process < 0)
		return -1;
	pid_t pid = fork_into(process);
	if (pid == 0)
		join(process, config, streams, report);
	int error = errno;
	close(process);
	errno = error;
	return pid;
}
