#include "identity.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "etc-files.h"

/* In a child: whoever enters the container does not come back. The app cannot look into it, or through it at the agent. */
static int set_inside(int app, const char *hostname, const char *machine_id)
{
	char id_line[MACHINE_ID_DIGITS + 2];
	char host_line[MAX_HOSTNAME_BYTES + 2];
	char hosts_line[MAX_HOSTNAME_BYTES + 16];
	snprintf(id_line, sizeof(id_line), "%s\n", machine_id);
	snprintf(host_line, sizeof(host_line), "%s\n", hostname);
	snprintf(hosts_line, sizeof(hosts_line), "127.0.1.1\t%s\n", hostname);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (setns(app, CLONE_NEWNS | CLONE_NEWUTS) < 0 || sethostname(hostname, strlen(hostname)) < 0)
		return errno;
	etc_files_identify(&(struct etc_identity){id_line, host_line, hosts_line});
	return 0;
}

bool identity_set(const char *hostname, const char *machine_id)
{
	struct app_status status = app_status();
	if (status.state != APP_RUNNING) {
		errno = ESRCH;
		return false;
	}
	int app = (int)syscall(SYS_pidfd_open, status.pid, 0);
	if (app < 0)
		return false;
	pid_t child = fork();
	if (child == 0)
		_exit(set_inside(app, hostname, machine_id));
	int result = 0;
	if (child > 0 && TEMP_FAILURE_RETRY(waitpid(child, &result, 0)) == child && WIFEXITED(result))
		errno = WEXITSTATUS(result);
	else if (child > 0)
		errno = ECHILD;
	bool done = child > 0 && errno == 0;
	int error = errno;
	close(app);
	errno = error;
	return done;
}
