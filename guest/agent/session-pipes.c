#include "session-pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Keeps the end `mine` of a pipe, not blocking; returns the other, or -1. */
static int make_pipe(struct watch *watch, int mine)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	fcntl(ends[mine], F_SETFL, O_NONBLOCK);
	watch->fd = ends[mine];
	return ends[1 - mine];
}

void session_close_far_ends(struct join_streams *streams, int report)
{
	const int all[] = {streams->in, streams->out, streams->err, report};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}

int session_make_streams(struct session *session, const struct session_config *config, struct join_streams *streams)
{
	int report[2];
	*streams = (struct join_streams){-1, -1, -1};
	session->is_terminal = config->has_terminal;
	/* Whole messages, so that a descriptor and a failure cannot run together. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0)
		return -1;
	fcntl(report[0], F_SETFL, O_NONBLOCK);
	session->report.watch.fd = report[0];
	if (config->has_terminal)
		return report[1];
	streams->in = make_pipe(&session->input.watch, 1);
	streams->out = make_pipe(&session->outputs[OUTPUT_STDOUT].watch, 0);
	streams->err = make_pipe(&session->outputs[OUTPUT_STDERR].watch, 0);
	if (streams->in >= 0 && streams->out >= 0 && streams->err >= 0)
		return report[1];
	int error = errno;
	session_close_far_ends(streams, report[1]);
	errno = error;
	return -1;
}

static void set_failure(struct start_failure *failure, const char *what)
{
	failure->exit_code = 125;
	snprintf(failure->message, sizeof(failure->message), "%s", what);
}

/* The same terminal twice, as the loop waits for reading and writing apart. */
static bool take_terminal(struct session *session, int master)
{
	session->outputs[OUTPUT_STDOUT].watch.fd = master;
	session->input.watch.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	return session->input.watch.fd >= 0;
}

static int descriptor_of(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

enum report session_read_report(struct session *session, struct start_failure *failure)
{
	for (;;) {
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control = {0};
		struct iovec part = {failure, sizeof(*failure)};
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
		ssize_t got = recvmsg(session->report.watch.fd, &message, MSG_CMSG_CLOEXEC);
		int fd = got > 0 ? descriptor_of(&message) : -1;
		if (got < 0 && errno == EAGAIN)
			return REPORT_MORE;
		if (got == 0 && (!session->is_terminal || session->input.watch.fd >= 0))
			return REPORT_STARTED;
		if (got == sizeof(*failure)) {
			failure->message[sizeof(failure->message) - 1] = '\0';
			return REPORT_FAILED;
		}
		if (fd < 0 || session->outputs[OUTPUT_STDOUT].watch.fd >= 0 || !take_terminal(session, fd)) {
			set_failure(failure, got == 0 ? "the program's process ended while starting" : "reading the start report");
			return REPORT_FAILED;
		}
	}
}
