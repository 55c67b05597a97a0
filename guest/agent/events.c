#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "loop.h"
#include "protocol.h"
#include "reply.h"

#define MAX_STREAMS 8
#define FRAME_HEADER_BYTES 64

struct event_stream {
	struct watch watch;
	struct event_stream *next;
	uint64_t offset;
	bool exit_sent;
	size_t frame_at;
	size_t frame_length;
	char frame[FRAME_HEADER_BYTES + MAX_OUTPUT_FRAME_BYTES];
};

static struct event_stream *streams;
static size_t stream_count;

static void close_stream(struct event_stream *stream)
{
	for (struct event_stream **at = &streams; *at != NULL; at = &(*at)->next) {
		if (*at != stream)
			continue;
		*at = stream->next;
		break;
	}
	watch_close(&stream->watch);
	loop_free_later(stream);
	stream_count--;
}

static void put_header(struct event_stream *stream, const char *word, uint64_t first, const uint64_t *second)
{
	int length = second == NULL
			     ? snprintf(stream->frame, FRAME_HEADER_BYTES, "%s %llu\n", word, (unsigned long long)first)
			     : snprintf(stream->frame, FRAME_HEADER_BYTES, "%s %llu %llu\n", word, (unsigned long long)first,
					(unsigned long long)*second);
	stream->frame_at = 0;
	stream->frame_length = (size_t)length;
}

static void put_output(struct event_stream *stream, const struct output_chunk *chunk)
{
	uint64_t length = chunk->length;
	put_header(stream, chunk->stream == OUTPUT_STDOUT ? "out" : "err", chunk->offset, &length);
	memcpy(stream->frame + stream->frame_length, chunk->bytes, chunk->length);
	stream->frame_length += chunk->length;
	stream->offset = chunk->offset + chunk->length;
}

/* Composes the next frame; false when all is told. */
static bool next_frame(struct event_stream *stream)
{
	const struct output_ring *ring = app_output();
	struct app_status status = app_status();
	if (stream->offset < ring->first) {
		put_header(stream, "dropped", ring->first - stream->offset, NULL);
		stream->offset = ring->first;
		return true;
	}
	struct output_chunk chunk = output_ring_read(ring, stream->offset, MAX_OUTPUT_FRAME_BYTES);
	if (chunk.length > 0) {
		put_output(stream, &chunk);
		return true;
	}
	if (status.state != APP_EXITED || stream->exit_sent)
		return false;
	put_header(stream, "exited", (uint64_t)status.exit_code, NULL);
	stream->exit_sent = true;
	return true;
}

/* Sends until all is told or the socket is full; false when it is broken. */
static bool pump(struct event_stream *stream)
{
	for (;;) {
		if (stream->frame_length == 0 && !next_frame(stream)) {
			watch_set(&stream->watch, EPOLLIN);
			return true;
		}
		ssize_t sent = send(stream->watch.fd, stream->frame + stream->frame_at, stream->frame_length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			watch_set(&stream->watch, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (sent < 0)
			return false;
		stream->frame_at += (size_t)sent;
		stream->frame_length -= (size_t)sent;
	}
}

/* The host has nothing to say on this connection; whatever it sends, also its end, ends the stream. */
static void on_stream(struct watch *watch, uint32_t events)
{
	struct event_stream *stream = (struct event_stream *)watch;
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 || !pump(stream))
		close_stream(stream);
}

void events_open(int host_fd, uint64_t offset)
{
	struct event_stream *stream = stream_count < MAX_STREAMS ? malloc(sizeof(*stream)) : NULL;
	if (stream == NULL) {
		reply_line(host_fd, "error too many event streams");
		close(host_fd);
		return;
	}
	stream->watch = (struct watch){.fd = host_fd, .handler = on_stream};
	stream->offset = offset;
	stream->exit_sent = false;
	stream->frame_at = stream->frame_length = 0;
	stream->next = streams;
	streams = stream;
	stream_count++;
	if (!reply_line(host_fd, "ok") || !pump(stream))
		close_stream(stream);
}

void events_push(void)
{
	struct event_stream *next;
	for (struct event_stream *stream = streams; stream != NULL; stream = next) {
		next = stream->next;
		/* One that waits for room hears of it from the loop. */
		if ((stream->watch.interest & EPOLLOUT) == 0 && !pump(stream))
			close_stream(stream);
	}
}
