#include "session-input.h"

#include <stdint.h>
#include <string.h>

#include "line-cursor.h"
#include "protocol.h"

/* "resize 65535 65535" is the longest. */
#define MAX_FRAME_LINE_BYTES 32

char *session_input_room(struct session_input *input, size_t *room)
{
	if (input->at > 0) {
		input->length -= input->at;
		memmove(input->bytes, input->bytes + input->at, input->length);
		input->at = 0;
	}
	*room = sizeof(input->bytes) - input->length;
	return input->bytes + input->length;
}

void session_input_received(struct session_input *input, size_t count)
{
	input->length += count;
}

void session_input_took(struct session_input *input, size_t count)
{
	input->at += count;
	input->payload_left -= count;
}

static struct session_item payload(const struct session_input *input)
{
	size_t there = input->length - input->at;
	size_t length = there < input->payload_left ? there : input->payload_left;
	return (struct session_item){
		.kind = length > 0 ? ITEM_BYTES : ITEM_NONE, .bytes = input->bytes + input->at, .length = length};
}

/* "eof", "resize <columns> <rows>"; "in <length>" only begins a payload. */
static struct session_item parse_line(struct session_input *input, struct cursor cursor)
{
	struct session_item item = {.kind = ITEM_BROKEN};
	uint64_t first, second;
	if (cursor_take_word(&cursor, "eof")) {
		item.kind = cursor_at_end(&cursor) ? ITEM_EOF : ITEM_BROKEN;
	} else if (cursor_take_word(&cursor, "in")) {
		if (!cursor_take_char(&cursor, ' ') || !cursor_take_number(&cursor, MAX_SESSION_FRAME_BYTES, &first))
			return item;
		if (first == 0 || !cursor_at_end(&cursor))
			return item;
		input->payload_left = (size_t)first;
		item = payload(input);
	} else if (cursor_take_word(&cursor, "resize")) {
		if (!cursor_take_char(&cursor, ' ') || !cursor_take_number(&cursor, UINT16_MAX, &first))
			return item;
		if (!cursor_take_char(&cursor, ' ') || !cursor_take_number(&cursor, UINT16_MAX, &second))
			return item;
		item.kind = cursor_at_end(&cursor) ? ITEM_RESIZE : ITEM_BROKEN;
		item.columns = (unsigned short)first;
		item.rows = (unsigned short)second;
	}
	return item;
}

struct session_item session_input_next(struct session_input *input)
{
	if (input->payload_left > 0)
		return payload(input);
	const char *from = input->bytes + input->at;
	size_t there = input->length - input->at;
	const char *line_end = memchr(from, '\n', there < MAX_FRAME_LINE_BYTES ? there : MAX_FRAME_LINE_BYTES);
	if (line_end == NULL)
		return (struct session_item){.kind = there < MAX_FRAME_LINE_BYTES ? ITEM_NONE : ITEM_BROKEN};
	input->at += (size_t)(line_end - from) + 1;
	return parse_line(input, (struct cursor){from, line_end});
}
