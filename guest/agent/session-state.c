#include "session-state.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "terminal.h"

struct session *session_new(int host_fd)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	struct session_watch *all[] = {&session->host, &session->report, &session->timer,
				       &session->input, &session->outputs[0], &session->outputs[1]};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		all[i]->watch.fd = -1;
		all[i]->session = session;
	}
	session->host.watch.fd = host_fd;
	session->exit_code = -1;
	return session;
}

struct session *session_of(struct watch *watch)
{
	return ((struct session_watch *)watch)->session;
}

/* Without a timer a stuck session stays until the VM ends; that is all. */
void session_set_timer(struct session *session, uint32_t milliseconds)
{
	struct itimerspec at = {
		.it_value = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000 + 1}};
	watch_close(&session->timer.watch);
	session->timer.watch.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (session->timer.watch.fd < 0)
		return;
	timerfd_settime(session->timer.watch.fd, 0, &at, NULL);
	watch_set(&session->timer.watch, EPOLLIN);
}

void session_close_streams(struct session *session)
{
	watch_close(&session->input.watch);
	watch_close(&session->outputs[0].watch);
	watch_close(&session->outputs[1].watch);
}

bool session_send_frame(struct session *session)
{
	while (session->frame_length > 0) {
		ssize_t sent = send(session->host.watch.fd, session->frame + session->frame_at, session->frame_length, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN;
		session->frame_at += (size_t)sent;
		session->frame_length -= (size_t)sent;
	}
	return true;
}

bool session_put_output(struct session *session, struct watch *output)
{
	char header[FRAME_HEADER_ROOM];
	if (output->fd < 0)
		return false;
	ssize_t got = read(output->fd, session->frame + FRAME_HEADER_ROOM, MAX_SESSION_FRAME_BYTES);
	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0) {
		watch_close(output); /* a terminal that all have closed answers EIO */
		return false;
	}
	const char *word = output == &session->outputs[OUTPUT_STDERR].watch ? "err" : "out";
	int length = snprintf(header, sizeof(header), "%s %zd\n", word, got);
	session->frame_at = FRAME_HEADER_ROOM - (size_t)length;
	memcpy(session->frame + session->frame_at, header, (size_t)length);
	session->frame_length = (size_t)(length + got);
	return true;
}

bool session_put_rest(struct session *session)
{
	for (size_t i = 0; i < 2; i++) {
		if (session->rest_bytes == 0 || !session_put_output(session, &session->outputs[i].watch))
			continue;
		session->rest_bytes -= session->frame_length < session->rest_bytes ? session->frame_length : session->rest_bytes;
		return true;
	}
	if (session->exit_code < 0)
		return false;
	session->frame_at = 0;
	session->frame_length = (size_t)snprintf(session->frame, FRAME_HEADER_ROOM, "exited %d\n", session->exit_code);
	session->exit_code = -1;
	return true;
}

/* False when the program takes no more at present. What nobody reads any more is dropped. */
static bool write_input(struct session *session, const struct session_item *item)
{
	ssize_t written = (ssize_t)item->length;
	if (session->input.watch.fd >= 0)
		written = write(session->input.watch.fd, item->bytes, item->length);
	if (written < 0 && errno == EAGAIN)
		return false;
	if (written < 0) {
		watch_close(&session->input.watch);
		written = (ssize_t)item->length;
	}
	session_input_took(&session->from_host, (size_t)written);
	return true;
}

bool session_take_input(struct session *session)
{
	session->input_waits = false;
	for (;;) {
		struct session_item item = session_input_next(&session->from_host);
		switch (item.kind) {
		case ITEM_NONE:
			return true;
		case ITEM_BYTES:
			session->input_waits = !write_input(session, &item);
			if (session->input_waits)
				return true;
			break;
		case ITEM_EOF:
			if (!session->is_terminal)
				watch_close(&session->input.watch);
			break;
		case ITEM_RESIZE:
			if (session->is_terminal && session->outputs[0].watch.fd >= 0)
				terminal_resize(session->outputs[0].watch.fd, item.columns, item.rows);
			break;
		case ITEM_BROKEN:
			return false;
		}
	}
}
