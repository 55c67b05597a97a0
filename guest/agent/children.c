#include "children.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "log.h"
#include "loop.h"
#include "session.h"

static struct watch children;

static void on_children(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo infos[8];
	ssize_t got = read(watch->fd, infos, sizeof(infos));
	(void)got; /* one signal may stand for several children */
	(void)events;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (!app_child_ended(pid, exit_code))
			session_child_ended(pid, exit_code);
	}
}

void children_init(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	children = (struct watch){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), .handler = on_children};
	if (children.fd < 0)
		die("signalfd");
	watch_set(&children, EPOLLIN);
}
