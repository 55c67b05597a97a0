#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "command.h"
#include "cpu-time.h"
#include "events.h"
#include "freezer.h"
#include "loop.h"
#include "modules.h"
#include "power.h"
#include "protocol.h"
#include "relay.h"
#include "reply.h"
#include "session.h"
#include "tcp-sockets.h"
#include "wake.h"

#define POWER_OFF_PATIENCE_MS 1000

enum phase { PHASE_LINE, PHASE_BODY, PHASE_STOPPING, PHASE_DONE };

struct control {
	struct watch watch;
	struct control *next;
	uint16_t peer_port;
	enum phase phase;
	enum command_kind body_of;
	char *body;
	size_t body_length;
	size_t body_wanted;
	size_t length;
	char line[MAX_LINE_BYTES];
};

static struct control *connections;
static size_t connection_count;

/* Forgets a connection; with `keep_fd` its descriptor now belongs to someone else. */
static void release(struct control *control, bool keep_fd)
{
	for (struct control **at = &connections; *at != NULL; at = &(*at)->next) {
		if (*at != control)
			continue;
		*at = control->next;
		break;
	}
	watch_pause(&control->watch);
	if (!keep_fd)
		close(control->watch.fd);
	free(control->body);
	control->body = NULL;
	control->phase = PHASE_DONE;
	loop_free_later(control);
	connection_count--;
}

static bool answer_status(int fd)
{
	struct app_status status = app_status();
	switch (status.state) {
	case APP_IDLE:
		return reply_line(fd, "ok idle");
	case APP_RUNNING:
		return reply_line(fd, "ok running %d", (int)status.pid);
	case APP_EXITED:
		return reply_line(fd, "ok exited %d", status.exit_code);
	}
	return false;
}

static bool answer_listening(int fd, struct command *command)
{
	char text[MAX_LISTENING_PORTS * 6 + 1] = "";
	size_t kept = tcp_keep_listening(command->ports, command->port_count);
	for (size_t i = 0, at = 0; i < kept; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %u", command->ports[i]);
	return reply_line(fd, "ok%s", text);
}

static bool answer_wake(const struct control *control, const struct command *command)
{
	const char *failed =
		wake_up(&command->wall_clock, command->entropy, command->entropy_length, control->peer_port);
	if (failed != NULL)
		return reply_line(control->watch.fd, "error %s: %s", failed, strerror(errno));
	if (command->kind == COMMAND_WAKE && freezer_is_frozen())
		freezer_thaw();
	return reply_line(control->watch.fd, "ok");
}

static bool answer_identify(int fd, const struct command *command)
{
	if (!identity_set(command->hostname, command->machine_id))
		return reply_line(fd, "error identity: %s", strerror(errno));
	return reply_line(fd, "ok");
}

static bool answer_settle(int fd)
{
	bool frozen = freezer_freeze();
	/* The page cache stays: dropped pages would be read again by the first request of every clone. */
	sync();
	return reply_line(fd, frozen ? "ok frozen" : "ok");
}

static bool begin_body(struct control *control, const struct command *command)
{
	control->body = malloc(command->body_length);
	control->body_of = command->kind;
	control->body_wanted = command->body_length;
	control->body_length = 0;
	control->phase = PHASE_BODY;
	return control->body != NULL;
}

static bool begin_stop(struct control *control, uint32_t grace_ms)
{
	if (app_status().state != APP_RUNNING)
		return reply_line(control->watch.fd, "ok");
	if (freezer_is_frozen())
		freezer_thaw();
	control->phase = PHASE_STOPPING;
	/* Requests that follow wait until the app is gone. */
	watch_set(&control->watch, 0);
	app_stop(grace_ms);
	return true;
}

static void hand_over(struct control *control, const struct command *command, size_t line_length)
{
	int fd = control->watch.fd;
	watch_pause(&control->watch);
	if (command->kind == COMMAND_EVENTS)
		events_open(fd, command->offset);
	else
		relay_open(fd, command->port, control->line + line_length, control->length - line_length);
	release(control, true);
}

/* False ends the connection. */
static bool execute(struct control *control, struct command *command)
{
	int fd = control->watch.fd;
	switch (command->kind) {
	case COMMAND_START:
	case COMMAND_SESSION:
		return begin_body(control, command);
	case COMMAND_HELLO:
		return reply_line(fd, "ok %d", AGENT_VERSION);
	case COMMAND_STATUS:
		return answer_status(fd);
	case COMMAND_LISTENING:
		return answer_listening(fd, command);
	case COMMAND_BUSY:
		return reply_line(fd, "ok %llu", (unsigned long long)cpu_busy_ms());
	case COMMAND_IDENTIFY:
		return answer_identify(fd, command);
	case COMMAND_SETTLE:
		return answer_settle(fd);
	case COMMAND_REHEARSE:
		if (!freezer_is_frozen())
			return reply_line(fd, "error the app is not frozen");
		return answer_wake(control, command);
	case COMMAND_WAKE:
		return answer_wake(control, command);
	case COMMAND_STOP:
		return begin_stop(control, command->grace_ms);
	case COMMAND_POWEROFF:
		reply_line(fd, "ok");
		/* A reset drops what the network device has not sent yet: the host hangs up once it has read. */
		poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, POWER_OFF_PATIENCE_MS);
		power_off();
	case COMMAND_RELAY:
	case COMMAND_EVENTS:
		break;
	}
	return false;
}

static bool start_app(struct control *control)
{
	struct start_config config;
	struct start_failure failure;
	if (app_status().state != APP_IDLE)
		return reply_line(control->watch.fd, "error the app was started before");
	const char *wrong = start_config_parse(control->body, control->body_length, &config);
	bool answered;
	if (wrong != NULL) {
		answered = reply_line(control->watch.fd, "error %s", wrong);
	} else {
		if (config.all_capabilities)
			modules_load("/modules/all-capabilities");
		else
			modules_drop("/modules/all-capabilities");
		answered = app_start(&config, &control->body, &failure) ? reply_line(control->watch.fd, "ok %d", (int)app_status().pid)
							: reply_line(control->watch.fd, "error %s", failure.message);
	}
	start_config_free(&config);
	return answered;
}

static void consume(struct control *control, size_t count)
{
	control->length -= count;
	memmove(control->line, control->line + count, control->length);
}

/* The connection is the session's from here on, with what the host sent after the request. */
static void hand_to_session(struct control *control)
{
	char *body = control->body;
	control->body = NULL;
	watch_pause(&control->watch);
	session_open(control->watch.fd, (struct session_request){.body = body,
								 .body_length = control->body_length,
								 .early = control->line,
								 .early_length = control->length});
	release(control, true);
}

static bool end_body(struct control *control)
{
	if (control->body_of == COMMAND_SESSION) {
		hand_to_session(control);
		return true;
	}
	control->phase = PHASE_LINE;
	bool answered = start_app(control);
	free(control->body);
	control->body = NULL;
	return answered;
}

/* Moves buffered bytes into the body; what is still missing is received straight into it. */
static bool fill_body(struct control *control)
{
	size_t missing = control->body_wanted - control->body_length;
	size_t part = control->length < missing ? control->length : missing;
	memcpy(control->body + control->body_length, control->line, part);
	control->body_length += part;
	consume(control, part);
	return control->body_length < control->body_wanted || end_body(control);
}

/* Does what the next whole line asks for, if there is one; false when the connection must end. */
static bool take_line(struct control *control, bool *waiting)
{
	struct command command;
	char *line_end = memchr(control->line, '\n', control->length);
	if (line_end == NULL) {
		*waiting = true;
		return control->length < sizeof(control->line);
	}
	size_t line_length = (size_t)(line_end - control->line);
	if (!command_parse(control->line, line_length, &command)) {
		reply_line(control->watch.fd, "error not a request");
		return false;
	}
	if (command.kind == COMMAND_RELAY || command.kind == COMMAND_EVENTS) {
		hand_over(control, &command, line_length + 1);
		return true;
	}
	consume(control, line_length + 1);
	return execute(control, &command);
}

/* Works through what is buffered; false when the connection must end. */
static bool process(struct control *control)
{
	bool sound = true, waiting = false;
	while (sound && !waiting) {
		switch (control->phase) {
		case PHASE_LINE:
			sound = take_line(control, &waiting);
			break;
		case PHASE_BODY:
			sound = fill_body(control);
			waiting = control->phase == PHASE_BODY;
			break;
		case PHASE_STOPPING:
		case PHASE_DONE:
			waiting = true;
			break;
		}
	}
	return sound;
}

/* False at the end of the connection. */
static bool receive(struct control *control)
{
	bool in_body = control->phase == PHASE_BODY;
	char *to = in_body ? control->body + control->body_length : control->line + control->length;
	size_t room = in_body ? control->body_wanted - control->body_length : sizeof(control->line) - control->length;
	ssize_t got = recv(control->watch.fd, to, room, 0);
	if (got < 0)
		return errno == EAGAIN;
	*(in_body ? &control->body_length : &control->length) += (size_t)got;
	return got > 0 && process(control);
}

static void on_control(struct watch *watch, uint32_t events)
{
	struct control *control = (struct control *)watch;
	bool lost = (events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0;
	if (lost || !receive(control))
		release(control, false);
}

void control_open(int fd, unsigned short peer_port)
{
	struct control *control = connection_count < MAX_CONTROL_CONNECTIONS ? calloc(1, sizeof(*control)) : NULL;
	if (control == NULL) {
		reply_line(fd, "error too many connections");
		close(fd);
		return;
	}
	*control = (struct control){.watch = {.fd = fd, .handler = on_control}, .next = connections, .peer_port = peer_port};
	connections = control;
	connection_count++;
	/* The first line is usually here already: most connections never meet the event loop as a control connection. */
	if (!receive(control))
		release(control, false);
	else if (control->phase == PHASE_LINE || control->phase == PHASE_BODY)
		watch_set(&control->watch, EPOLLIN);
}

void control_app_changed(void)
{
	if (app_status().state != APP_EXITED)
		return;
	struct control *next;
	for (struct control *control = connections; control != NULL; control = next) {
		next = control->next;
		if (control->phase != PHASE_STOPPING)
			continue;
		sync();
		control->phase = PHASE_LINE;
		if (!reply_line(control->watch.fd, "ok") || !process(control))
			release(control, false);
		else if (control->phase == PHASE_LINE)
			watch_set(&control->watch, EPOLLIN);
	}
}
