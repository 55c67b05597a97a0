/* One session and what moves its bytes; session.c decides when. */
#ifndef CATNAP_SESSION_STATE_H
#define CATNAP_SESSION_STATE_H

#include "container.h"
#include "loop.h"
#include "output-ring.h"
#include "protocol.h"
#include "session-input.h"

#define FRAME_HEADER_ROOM 32
/* Of a program that has ended, at most so much is told: others may hold its streams and go on writing. */
#define SESSION_REST_BYTES (256 * 1024)

enum session_phase {
	SESSION_STARTING,
	SESSION_RUNNING,
	SESSION_ENDED,	   /* reaped; the rest of its output is on the way */
	SESSION_GOODBYE,   /* all is told; the host closes */
	SESSION_ABANDONED, /* the host is gone; the program is not yet */
	SESSION_FORGOTTEN, /* freed after the present batch of events */
};

struct session;

struct session_watch {
	struct watch watch;
	struct session *session;
};

struct session {
	struct session *next;
	enum session_phase phase;
	pid_t pid; /* 0 when there is no process */
	int exit_code;
	bool is_terminal;
	struct session_watch host;
	struct session_watch report;
	struct session_watch timer;
	struct session_watch input;
	struct session_watch outputs[2]; /* in the order of enum output_stream; a terminal has the first only */
	bool input_waits;		 /* the program takes no more at present */
	size_t rest_bytes;
	size_t frame_at;
	size_t frame_length; /* 0: none is on the way */
	struct session_input from_host;
	char frame[FRAME_HEADER_ROOM + MAX_SESSION_FRAME_BYTES];
};

/* NULL without memory. */
struct session *session_new(int host_fd);
struct session *session_of(struct watch *watch);
void session_set_timer(struct session *session, uint32_t milliseconds);
void session_close_streams(struct session *session);

/* Sends as much of the frame as the host takes; false when it is gone. */
bool session_send_frame(struct session *session);
/* Puts what a stream holds now into the frame; closes it at its end. False when there was nothing. */
bool session_put_output(struct session *session, struct watch *output);
/* After the program's end: puts the next of the rest into the frame, last the exit code; false when all was told. */
bool session_put_rest(struct session *session);
/* Works through what the host sent as far as the program takes it; false when that is out of protocol. */
bool session_take_input(struct session *session);

#endif
