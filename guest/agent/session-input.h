/* What the host sends on a session's connection, taken apart piece by piece. */
#ifndef CATNAP_SESSION_INPUT_H
#define CATNAP_SESSION_INPUT_H

#include <stddef.h>

#define SESSION_INPUT_BYTES (16 * 1024)

struct session_input {
	size_t at;	/* first byte not dealt with */
	size_t length;	/* one after the last byte received */
	size_t payload_left; /* of the frame under way */
	char bytes[SESSION_INPUT_BYTES];
};

enum session_item_kind { ITEM_NONE, ITEM_BYTES, ITEM_EOF, ITEM_RESIZE, ITEM_BROKEN };

struct session_item {
	enum session_item_kind kind;
	const char *bytes; /* of ITEM_BYTES; they stay until session_input_took */
	size_t length;
	unsigned short columns;
	unsigned short rows;
};

/* Where to receive the next bytes, and how many fit; none fit only while bytes are not taken. */
char *session_input_room(struct session_input *input, size_t *room);
void session_input_received(struct session_input *input, size_t count);

/* The next item; ITEM_NONE when more bytes are needed. */
struct session_item session_input_next(struct session_input *input);
/* So many bytes of an ITEM_BYTES were written. */
void session_input_took(struct session_input *input, size_t count);

#endif
