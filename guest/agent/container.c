#include "container.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container-init.h"

/* A start that takes longer is stuck in the image's file system; the agent must stay answerable. */
#define START_TIMEOUT_MS 30000

static pid_t fork_into_namespaces(void)
{
	unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD;
	return (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
}

static void set_failure(struct start_failure *failure, const char *what)
{
	failure->exit_code = 125;
	snprintf(failure->message, sizeof(failure->message), "%s: %s", what, strerror(errno));
}

/* True when the child's exec closed the pipe without a word. */
static bool wait_for_exec(int fd, struct start_failure *failure)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	if (poll(&ready, 1, START_TIMEOUT_MS) <= 0) {
		errno = ETIMEDOUT;
		set_failure(failure, "starting the container");
		return false;
	}
	ssize_t got = read(fd, failure, sizeof(*failure));
	if (got == 0)
		return true;
	if (got != sizeof(*failure))
		set_failure(failure, "reading the start report");
	failure->message[sizeof(failure->message) - 1] = '\0';
	return false;
}

pid_t container_start(const struct start_config *config, int out, int err, struct start_failure *failure)
{
	int report[2];
	if (pipe2(report, O_CLOEXEC) < 0) {
		set_failure(failure, "pipe");
		return -1;
	}
	pid_t pid = fork_into_namespaces();
	if (pid == 0)
		container_init(config, out, err, report[1]);
	if (pid < 0)
		set_failure(failure, "clone");
	close(report[1]);
	if (pid > 0 && !wait_for_exec(report[0], failure)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(report[0]);
	return pid;
}
