/*
 * The app's output: one bounded ring of bytes for stdout and stderr together. Bytes are numbered from 0 over the whole
 * life of the app; the oldest leave when room is needed, so the writer never waits.
 */
#ifndef CATNAP_OUTPUT_RING_H
#define CATNAP_OUTPUT_RING_H

#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* Stretches of one stream kept apart; a finer interleaving than this loses its oldest bytes early. */
#define MAX_OUTPUT_SPANS 8192

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR };

struct output_span {
	uint64_t start;
	enum output_stream stream;
};

struct output_ring {
	uint64_t first;	/* oldest byte still held */
	uint64_t end;	/* one after the newest */
	size_t span_head;
	size_t span_count;
	struct output_span spans[MAX_OUTPUT_SPANS];
	uint8_t bytes[OUTPUT_RING_BYTES];
};

struct output_chunk {
	uint64_t offset;
	enum output_stream stream;
	const uint8_t *bytes;
	size_t length;	/* 0: nothing at or after the offset asked for */
};

void output_ring_write(struct output_ring *ring, enum output_stream stream, const uint8_t *bytes, size_t length);

/* The contiguous bytes of one stream at `offset`, or at the oldest byte held when `offset` has left the ring. */
struct output_chunk output_ring_read(const struct output_ring *ring, uint64_t offset, size_t most);

#endif
