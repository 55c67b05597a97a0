#include "output-ring.h"

#include <string.h>

static const struct output_span *span_at(const struct output_ring *ring, size_t index)
{
	return &ring->spans[(ring->span_head + index) % MAX_OUTPUT_SPANS];
}

static uint64_t span_end(const struct output_ring *ring, size_t index)
{
	return index + 1 < ring->span_count ? span_at(ring, index + 1)->start : ring->end;
}

static void drop_first_span(struct output_ring *ring)
{
	uint64_t end = span_end(ring, 0);
	if (ring->first < end)
		ring->first = end;
	ring->span_head = (ring->span_head + 1) % MAX_OUTPUT_SPANS;
	ring->span_count--;
}

static void drop_before(struct output_ring *ring, uint64_t offset)
{
	while (ring->span_count > 0 && span_end(ring, 0) <= offset)
		drop_first_span(ring);
	if (ring->first < offset)
		ring->first = offset;
}

static void open_span(struct output_ring *ring, enum output_stream stream)
{
	if (ring->span_count > 0 && span_at(ring, ring->span_count - 1)->stream == stream)
		return;
	if (ring->span_count == MAX_OUTPUT_SPANS)
		drop_first_span(ring);
	size_t slot = (ring->span_head + ring->span_count) % MAX_OUTPUT_SPANS;
	ring->spans[slot] = (struct output_span){ring->end, stream};
	ring->span_count++;
}

static void append(struct output_ring *ring, const uint8_t *bytes, size_t length)
{
	size_t at = (size_t)(ring->end % OUTPUT_RING_BYTES);
	size_t before_wrap = OUTPUT_RING_BYTES - at < length ? OUTPUT_RING_BYTES - at : length;
	memcpy(ring->bytes + at, bytes, before_wrap);
	memcpy(ring->bytes, bytes + before_wrap, length - before_wrap);
	ring->end += length;
}

void output_ring_write(struct output_ring *ring, enum output_stream stream, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		size_t part = length < OUTPUT_RING_BYTES ? length : OUTPUT_RING_BYTES;
		open_span(ring, stream);
		append(ring, bytes, part);
		if (ring->end > OUTPUT_RING_BYTES)
			drop_before(ring, ring->end - OUTPUT_RING_BYTES);
		bytes += part;
		length -= part;
	}
}

/* Index of the span that holds `offset`; the ring is not empty there. */
static size_t find_span(const struct output_ring *ring, uint64_t offset)
{
	size_t low = 0, high = ring->span_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (span_at(ring, middle)->start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct output_chunk output_ring_read(const struct output_ring *ring, uint64_t offset, size_t most)
{
	if (offset < ring->first)
		offset = ring->first;
	struct output_chunk chunk = {.offset = offset};
	if (offset >= ring->end || ring->span_count == 0)
		return chunk;
	size_t index = find_span(ring, offset);
	size_t at = (size_t)(offset % OUTPUT_RING_BYTES);
	uint64_t length = span_end(ring, index) - offset;
	if (length > OUTPUT_RING_BYTES - at)
		length = OUTPUT_RING_BYTES - at;
	chunk.length = length < most ? (size_t)length : most;
	chunk.stream = span_at(ring, index)->stream;
	chunk.bytes = ring->bytes + at;
	return chunk;
}
