#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "container-join.h"
#include "loop.h"
#include "reply.h"
#include "session-members.h"
#include "session-pipes.h"
#include "session-state.h"
#include "terminal.h"

/* A start that takes longer is stuck in the image's file system. */
#define START_MS 10000
/* Between the hang-up and the kill of a program whose host has gone. */
#define HANG_UP_MS 2000
/* How long the host may take to close after it was told the end. */
#define GOODBYE_MS 5000

static struct session *sessions;
static size_t session_count;

static void forget(struct session *session)
{
	for (struct session **at = &sessions; *at != NULL; at = &(*at)->next) {
		if (*at != session)
			continue;
		*at = session->next;
		break;
	}
	session_close_streams(session);
	watch_close(&session->report.watch);
	watch_close(&session->host.watch);
	watch_close(&session->timer.watch);
	session->phase = SESSION_FORGOTTEN;
	loop_free_later(session);
	session_count--;
}

/* Nobody listens any more: the program hears of it as of a closed terminal, and is killed when it stays. */
static void abandon(struct session *session)
{
	bool was_starting = session->phase == SESSION_STARTING;
	session->phase = SESSION_ABANDONED;
	session_close_streams(session);
	watch_close(&session->report.watch);
	watch_close(&session->host.watch);
	if (session->pid == 0) {
		forget(session);
		return;
	}
	if (was_starting) {
		kill(session->pid, SIGKILL); /* it may not lead a group yet */
	} else {
		session_members_hang_up(session->pid);
	}
	session_set_timer(session, HANG_UP_MS);
}

static void on_timer(struct watch *watch, uint32_t events)
{
	struct session *session = session_of(watch);
	(void)events;
	watch_close(watch);
	switch (session->phase) {
	case SESSION_STARTING:
		reply_line(session->host.watch.fd, "failed 125 starting the program took too long");
		abandon(session);
		break;
	case SESSION_ABANDONED:
		kill(-session->pid, SIGKILL);
		break;
	case SESSION_GOODBYE:
		forget(session);
		break;
	case SESSION_RUNNING:
	case SESSION_ENDED:
	case SESSION_FORGOTTEN:
		break;
	}
}

static void update_interest(struct session *session)
{
	bool may_send = session->frame_length == 0;
	uint32_t interest = EPOLLRDHUP;
	if (session->frame_length > 0)
		interest |= EPOLLOUT;
	if (session->phase == SESSION_GOODBYE || (session->phase != SESSION_STARTING && !session->input_waits))
		interest |= EPOLLIN;
	watch_set(&session->host.watch, interest);
	/* Paused and not merely ignored: a hang-up would be reported again and again. */
	for (size_t i = 0; i < 2; i++) {
		struct watch *output = &session->outputs[i].watch;
		if (output->fd >= 0 && may_send && session->phase == SESSION_RUNNING)
			watch_set(output, EPOLLIN);
		else if (output->fd >= 0)
			watch_pause(output);
	}
	if (session->input.watch.fd >= 0 && session->input_waits)
		watch_set(&session->input.watch, EPOLLOUT);
	else if (session->input.watch.fd >= 0)
		watch_pause(&session->input.watch);
}

/* Sends what it can; after the program's end also composes what is left to tell. False when the host is gone. */
static bool advance(struct session *session)
{
	while (session->phase == SESSION_RUNNING || session->phase == SESSION_ENDED) {
		if (!session_send_frame(session))
			return false;
		if (session->frame_length > 0 || session->phase == SESSION_RUNNING)
			break;
		if (session_put_rest(session))
			continue;
		session->phase = SESSION_GOODBYE;
		session_close_streams(session);
		session->from_host.at = session->from_host.length = 0;
		shutdown(session->host.watch.fd, SHUT_WR);
		session_set_timer(session, GOODBYE_MS);
	}
	update_interest(session);
	return true;
}

static void go_on(struct session *session, bool sound)
{
	if (!sound || !advance(session))
		abandon(session);
}

static void on_output(struct watch *watch, uint32_t events)
{
	struct session *session = session_of(watch);
	(void)events;
	if (session->frame_length == 0)
		session_put_output(session, watch);
	go_on(session, true);
}

static void on_input_room(struct watch *watch, uint32_t events)
{
	struct session *session = session_of(watch);
	(void)events;
	go_on(session, session_take_input(session));
}

/* The host's end of stream is the end of the session: what it still wants typed comes as frames. */
static bool receive(struct session *session)
{
	size_t room;
	char *to = session_input_room(&session->from_host, &room);
	ssize_t got = recv(session->host.watch.fd, to, room, 0);
	if (got < 0)
		return errno == EAGAIN;
	if (got == 0)
		return false;
	if (session->phase == SESSION_GOODBYE)
		return true; /* too late to be of use */
	session_input_received(&session->from_host, (size_t)got);
	return session_take_input(session);
}

static void on_host(struct watch *watch, uint32_t events)
{
	struct session *session = session_of(watch);
	bool sound = (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) == 0;
	if (sound && (events & EPOLLIN) != 0)
		sound = receive(session);
	if (session->phase == SESSION_GOODBYE && !sound)
		forget(session);
	else
		go_on(session, sound);
}

static void started(struct session *session)
{
	watch_close(&session->report.watch);
	watch_close(&session->timer.watch);
	session->phase = SESSION_RUNNING;
	go_on(session, reply_line(session->host.watch.fd, "ok") && session_take_input(session));
}

static void on_report(struct watch *watch, uint32_t events)
{
	struct session *session = session_of(watch);
	struct start_failure failure;
	(void)events;
	switch (session_read_report(session, &failure)) {
	case REPORT_MORE:
		break;
	case REPORT_STARTED:
		started(session);
		break;
	case REPORT_FAILED:
		reply_line(session->host.watch.fd, "failed %d %s", failure.exit_code, failure.message);
		abandon(session);
		break;
	}
}

void session_child_ended(pid_t pid, int exit_code)
{
	struct session *session = sessions;
	while (session != NULL && session->pid != pid)
		session = session->next;
	if (session == NULL)
		return;
	session->pid = 0;
	/* A short program may end before its start was heard of. */
	if (session->phase == SESSION_STARTING)
		on_report(&session->report.watch, 0);
	if (session->phase == SESSION_ABANDONED)
		forget(session);
	if (session->phase == SESSION_FORGOTTEN)
		return;
	session->phase = SESSION_ENDED;
	session->exit_code = exit_code;
	session->rest_bytes = SESSION_REST_BYTES;
	go_on(session, true);
}

static bool start(struct session *session, const struct session_config *config)
{
	struct join_streams streams;
	int report = session_make_streams(session, config, &streams);
	if (report < 0)
		return false;
	pid_t pid = container_join(app_status().pid, config, &streams, report);
	int error = errno;
	session_close_far_ends(&streams, report);
	errno = error;
	session->pid = pid > 0 ? pid : 0;
	return pid > 0;
}

/* False with the reason as a reply. */
static bool run(struct session *session, char *body, size_t length)
{
	struct session_config config;
	int fd = session->host.watch.fd;
	if (app_config() == NULL) {
		reply_line(fd, "error the app does not run");
		return false;
	}
	const char *wrong = session_config_parse(body, length, app_config(), &config);
	bool done = wrong == NULL && start(session, &config);
	if (wrong != NULL)
		reply_line(fd, "error %s", wrong);
	else if (!done)
		reply_line(fd, "error starting a process: %s", strerror(errno));
	session_config_free(&config);
	return done;
}

void session_open(int host_fd, struct session_request request)
{
	struct session *session = session_count < MAX_SESSIONS ? session_new(host_fd) : NULL;
	if (session == NULL) {
		reply_line(host_fd, "error too many sessions");
		close(host_fd);
		free(request.body);
		return;
	}
	session->next = sessions;
	sessions = session;
	session_count++;
	session->host.watch.handler = on_host;
	session->report.watch.handler = on_report;
	session->timer.watch.handler = on_timer;
	session->input.watch.handler = on_input_room;
	session->outputs[0].watch.handler = session->outputs[1].watch.handler = on_output;
	memcpy(session->from_host.bytes, request.early, request.early_length);
	session_input_received(&session->from_host, request.early_length);
	bool runs = run(session, request.body, request.body_length);
	free(request.body);
	if (!runs) {
		forget(session);
		return;
	}
	session_set_timer(session, START_MS);
	watch_set(&session->report.watch, EPOLLIN);
	update_interest(session);
}
